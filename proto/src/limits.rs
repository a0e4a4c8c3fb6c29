//! Every bound of the interface in one place, each with its reason.

/// Bytes of one container. The largest thing an office sends is a scanned document; mail systems of
/// hospitals commonly stop at 20–30 MiB, so nobody has files that need more.
pub const MAX_CONTAINER_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of one file before compression. A file is opened in memory, on both sides.
pub const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of all files of a parcel before compression. CSV compresses about 8 : 1, so this does not stop a
/// full container of real files, and it stops a bomb before it costs memory.
pub const MAX_INFLATED_BYTES: usize = 128 * 1024 * 1024;

/// Files in one parcel. A month's slips for one office are 3 files, a preventive-care unit with one image
/// for each of 100 users about 100; ten times that is room enough.
pub const MAX_FILES: usize = 1_000;

/// Characters of a note (送付状). Two sheets of A4.
pub const MAX_NOTE_CHARS: usize = 2_000;

/// Characters of a statement's text: a reason, a remark, a request. As long as a note.
pub const MAX_TEXT_CHARS: usize = 2_000;

/// Bytes of a sealed text: 2,000 characters of at most four bytes, and about 400 for each of 50 keys.
pub const MAX_SEALED_TEXT_BYTES: usize = 32 * 1024;

/// Statements about one parcel that the relay keeps. Its life has five; the rest are remarks, and who needs more of
/// those needs a telephone.
pub const MAX_STATEMENTS: u32 = 200;

/// Requests for documents by one office in 24 hours. A large office has some 100 partners.
pub const MAX_REQUESTS_A_DAY: u32 = 500;

/// Bytes of `parcel.json`: the note, and about 300 bytes for each of [`MAX_FILES`].
pub const MAX_HEADER_BYTES: usize = 512 * 1024;

/// Bytes of a path inside a parcel, UTF-8. Windows shows about 255 characters of a name.
pub const MAX_PATH_BYTES: usize = 512;

/// Bytes of a signature with its chain. An RSA-4096 chain of four certificates stays below 10 KiB.
pub const MAX_SIGNATURE_BYTES: usize = 64 * 1024;

/// Bytes of one chunk. Large enough that a message's cost does not count, small enough for fairness.
pub const MAX_CHUNK_BYTES: usize = 1024 * 1024;

/// Bytes of one gRPC message that the relay decodes: a chunk and its frame, or a batch of statements.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of an OCSP answer that a caller brings along. One has 300 to 2,500, and a request's header 16 KiB.
pub const MAX_OCSP_BYTES: usize = 4 * 1024;

/// Bytes of one CRL. A national CA's of 287,000 offices stays below 12 MB even with every one revoked.
pub const MAX_CRL_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the CRLs that an answer carries itself; further ones are handed out in pieces. With the rest, an answer
/// stays below the 4 MiB that gRPC clients take by default.
pub const MAX_CRLS_ALONG_BYTES: usize = 1024 * 1024;

/// Parcels in one Fetch call, statements in one Acknowledge call: one batch of the committer.
pub const MAX_ITEMS: usize = 256;

/// Entries in one batch of a feed, rows in one page of a list.
pub const MAX_PAGE: u32 = 500;

/// Milliseconds that a long poll waits. Below the 60–100 s after which proxies cut idle connections.
pub const MAX_WAIT_MS: u32 = 60_000;

/// How far a sender's clock may be ahead of the relay's, in microseconds: PCs without time service drift
/// by minutes. Behind, there is no bound: a parcel may wait in an outbox.
pub const MAX_CLOCK_AHEAD_US: i64 = 15 * 60 * 1_000_000;

/// Bytes of a cosigned checkpoint that a witness hands in: a note of 250 bytes and 100 lines of at most 400.
pub const MAX_COSIGNED_BYTES: usize = 64 * 1024;

/// Bytes of a call that takes an invitation up: a request for a certificate and a text of 400 bytes.
pub const MAX_ENROLMENT_BYTES: usize = 16 * 1024;

/// Bytes of a mandate's statement (CMS) with the chain of its signer: a list of a hundred stays below the 4 MiB that gRPC clients
/// take by default.
pub const MAX_MANDATE_BYTES: usize = 24 * 1024;

/// Days that a mandate of a proxy lasts at most: longer than any certificate that could sign it.
pub const MAX_MANDATE_DAYS: i64 = 5 * 366;

/// Days that an invitation of a terminal can be taken up at most. It lies in somebody's mailbox for so long.
pub const MAX_INVITATION_DAYS: i64 = 31;

/// Characters of a notice of the operator, in each language: a few sentences. It stands in the log for ever.
pub const MAX_NOTICE_CHARS: usize = 1_000;

/// Offices that one notice names: its event holds a commitment of 71 bytes for each. More: send it in parts, or to all.
pub const MAX_NOTICE_OFFICES: usize = 100;
