//! Sample files for demos and for vendors' tests: synthetic, clean by every check, one folder per send unit.
//!
//! Their provenance is told in `samples/README.md` of this crate.

/// One sample file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The folder: one send unit, numbered; those of edition 3.2 begin with `v3`.
    pub folder: &'static str,
    /// The file's name.
    pub name: &'static str,
    /// The file's content: MS932 with CRLF, or a JPEG.
    pub bytes: &'static [u8],
}

/// All samples, by folder and name.
pub fn all() -> &'static [Sample] {
    SAMPLES
}

/// The samples of one folder.
pub fn of_folder(folder: &str) -> impl Iterator<Item = &'static Sample> {
    SAMPLES.iter().filter(move |sample| sample.folder == folder)
}

macro_rules! samples {
    ($($folder:literal: $($name:literal),+;)+) => {
        &[$($(Sample {
            folder: $folder,
            name: $name,
            bytes: include_bytes!(concat!("../samples/", $folder, "/", $name)),
        },)+)+]
    };
}

const SAMPLES: &[Sample] = samples! {
    "01_plan_documents_to_visit":
        "UP1KYO_1371215102_43_9971100012_11_20260120101500.CSV",
        "UP2KYO_1371215102_43_9971100012_11_20260120101500.CSV",
        "UP3KYO_1371215102_43_9971100012_11_20260120101500.CSV",
        "UPHOSOKU_000000_1371215102_43_9971100012_11_20260120101500.CSV";
    "02_plan_documents_to_day_two_users":
        "UP1KYO_1371215102_43_9971100020_15_20260120101730.CSV",
        "UP2KYO_1371215102_43_9971100020_15_20260120101730.CSV",
        "UP3KYO_1371215102_43_9971100020_15_20260120101730.CSV",
        "UPHOSOKU_000000_1371215102_43_9971100020_15_20260120101730.CSV";
    "03_slip_202602_to_visit":
        "UPHOSOKU_202602_1371215102_43_9971100012_11_20260125103000.CSV",
        "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV",
        "UPSIKYU_202602_1371215102_43_9971100012_11_20260125103000.CSV";
    "04_slip_202602_to_day_two_users":
        "UPHOSOKU_202602_1371215102_43_9971100020_15_20260125103130.CSV",
        "UPPLAN_202602_1371215102_43_9971100020_15_20260125103130.CSV",
        "UPSIKYU_202602_1371215102_43_9971100020_15_20260125103130.CSV";
    "05_slip_202507_equipment":
        "UPHOSOKU_202507_1371215102_43_9971100038_17_20250625090000.CSV",
        "UPPLAN_202507_1371215102_43_9971100038_17_20250625090000.CSV",
        "UPSIKYU_202507_1371215102_43_9971100038_17_20250625090000.CSV";
    "06_result_202602_from_visit":
        "UPJSK_202602_9971100012_11_1371215102_43_20260301174500.CSV";
    "07_result_202602_from_day_two_users":
        "UPJSK_202602_9971100020_15_1371215102_43_20260301181200.CSV";
    "08_result_202507_equipment":
        "UPJSK_202507_9971100038_17_1371215102_43_20250801091000.CSV";
    "09_delete_plan_documents":
        "DLT1KYO_1371215102_43_9971100012_11_20260121090000.CSV";
    "10_delete_plan_documents":
        "DLT1KYO_1371215102_43_9971100020_15_20260121090500.CSV";
    "11_delete_slip":
        "DLTPLAN_202602_1371215102_43_9971100012_11_20260126090000.CSV";
    "12_delete_slip":
        "DLTPLAN_202602_1371215102_43_9971100020_15_20260126090500.CSV";
    "13_delete_result":
        "DLTJSK_202602_9971100012_11_1371215102_43_20260302090000.CSV";
    "14_delete_result":
        "DLTJSK_202602_9971100020_15_1371215102_43_20260302090500.CSV";
    "15_basic_information":
        "UPKIHON_9900100042_46_1371215102_43_20250402140000.CSV",
        "UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0001.jpg",
        "UPKIHON_SUB1_9900100042_46_1371215102_43_20250402140000.CSV",
        "UPKIHON_SUB2_9900100042_46_1371215102_43_20250402140000.CSV";
    "16_basic_information":
        "UPKIHON_1371215102_43_9971100053_A6_20250403140000.CSV",
        "UPKIHON_IMAGE_1371215102_43_9971100053_A6_20250403140000_0001.jpg",
        "UPKIHON_SUB1_1371215102_43_9971100053_A6_20250403140000.CSV",
        "UPKIHON_SUB2_1371215102_43_9971100053_A6_20250403140000.CSV";
    "17_preventive_plan":
        "UPYOBO_9900100042_46_1371215102_43_20250410100000.CSV",
        "UPYOBO_SUB_9900100042_46_1371215102_43_20250410100000.CSV";
    "18_preventive_plan_with_basic_information":
        "UPKIHON_1371215102_43_9971100053_A6_20250411100000.CSV",
        "UPYOBO_1371215102_43_9971100053_A6_20250411100000.CSV",
        "UPYOBO_SUB_1371215102_43_9971100053_A6_20250411100000.CSV";
    "19_delete_basic_information":
        "DLTKIHON_9900100042_46_1371215102_43_20250412090000.CSV";
    "20_delete_basic_information":
        "DLTKIHON_1371215102_43_9971100053_A6_20250412090100.CSV";
    "21_delete_preventive_plan":
        "DLTYOBO_9900100042_46_1371215102_43_20250412091000.CSV";
    "22_delete_preventive_plan":
        "DLTYOBO_1371215102_43_9971100053_A6_20250412091100.CSV";
    "v3_01_slip_202307":
        "UPHOSOKU_202307_1371215102_9971100012_20230625100000.CSV",
        "UPPLAN_202307_1371215102_9971100012_20230625100000.CSV",
        "UPSIKYU_202307_1371215102_9971100012_20230625100000.CSV";
    "v3_02_result_202307":
        "UPJSK_202307_9971100012_1371215102_20230801100000.CSV";
};
