//! DER as a tree that can be altered anywhere and written again with lengths that fit.

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The tag's octet.
    pub(crate) tag: u8,
    /// What is inside.
    pub(crate) body: Body,
}

/// What is inside an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// A primitive value, or bytes that stand for what is inside.
    Bytes(Vec<u8>),
    /// Elements.
    Nodes(Vec<Node>),
}

impl Node {
    /// A primitive element, or a constructed one from its encoded inside.
    pub(crate) fn bytes(tag: u8, bytes: &[u8]) -> Self {
        Self { tag, body: Body::Bytes(bytes.to_vec()) }
    }

    /// A constructed element.
    pub(crate) fn nodes(tag: u8, nodes: Vec<Self>) -> Self {
        Self { tag, body: Body::Nodes(nodes) }
    }

    /// Reads one element and everything inside; panics on anything but DER with one-octet tags.
    pub(crate) fn read(der: &[u8]) -> Self {
        let (node, rest) = Self::read_first(der);
        assert!(rest.is_empty(), "trailing bytes");
        node
    }

    fn read_first(der: &[u8]) -> (Self, &[u8]) {
        let tag = der[0];
        let (len, head) = match der[1] {
            len @ 0..=0x7f => (usize::from(len), 2),
            long => {
                let octets = usize::from(long & 0x7f);
                (der[2..2 + octets].iter().fold(0, |len, octet| len << 8 | usize::from(*octet)), 2 + octets)
            }
        };
        let (mut body, rest) = der[head..].split_at(len);
        if tag & 0x20 == 0 {
            return (Self::bytes(tag, body), rest);
        }
        let mut nodes = Vec::new();
        while !body.is_empty() {
            let (node, after) = Self::read_first(body);
            nodes.push(node);
            body = after;
        }
        (Self::nodes(tag, nodes), rest)
    }

    /// The element's encoding.
    pub(crate) fn write(&self) -> Vec<u8> {
        let body = match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Nodes(nodes) => nodes.iter().flat_map(Self::write).collect(),
        };
        let mut out = vec![self.tag];
        if let Some(short) = u8::try_from(body.len()).ok().filter(|len| *len < 0x80) {
            out.push(short);
        } else {
            let octets = body.len().to_be_bytes();
            let octets = &octets[octets.iter().position(|octet| *octet != 0).unwrap()..];
            out.push(0x80 | u8::try_from(octets.len()).unwrap());
            out.extend_from_slice(octets);
        }
        out.extend_from_slice(&body);
        out
    }

    /// The elements inside.
    pub(crate) fn children(&mut self) -> &mut Vec<Self> {
        match &mut self.body {
            Body::Nodes(nodes) => nodes,
            Body::Bytes(_) => panic!("a primitive element has none"),
        }
    }

    /// The value of a primitive element.
    pub(crate) fn value(&mut self) -> &mut Vec<u8> {
        match &mut self.body {
            Body::Bytes(bytes) => bytes,
            Body::Nodes(_) => panic!("a constructed element has none"),
        }
    }

    /// The element at `path`, each step a number from 0.
    pub(crate) fn at(&mut self, path: &[usize]) -> &mut Self {
        path.iter().fold(self, |node, step| &mut node.children()[*step])
    }

    /// Puts the elements inside into DER's order for a SET OF.
    pub(crate) fn sort(&mut self) {
        self.children().sort_by_key(Self::write);
    }
}
