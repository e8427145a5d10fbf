//! Faults planted in the server, each of which the soak has to find: a check that finds nothing
//! may be one that looks at nothing.

use std::fs::File;

use crate::Fallible;

/// Bytes that are leaked for each connection: a visit of each of 300 seats is more than is kept.
const LEAK_BYTES: usize = 64 << 10;
/// One connection in so many leaves a file open.
const CONNECTIONS_PER_FILE: u64 = 50;
/// One message in so many is lost or repeated.
const MESSAGES_PER_FAULT: u64 = 1000;

/// One fault of the server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plant {
    /// None: with everything else as for the others, nothing may be found.
    Nothing,
    Leak,
    Files,
    Loss,
    Repeat,
}

impl Plant {
    const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Leak,
        Self::Files,
        Self::Loss,
        Self::Repeat,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Leak => "leak",
            Self::Files => "files",
            Self::Loss => "loss",
            Self::Repeat => "repeat",
        }
    }

    pub(crate) fn parse(word: &str) -> Fallible<Self> {
        let known = Self::ALL.into_iter().find(|plant| plant.word() == word);
        known.ok_or_else(|| format!("no plant {word}: nothing, leak, files, loss or repeat").into())
    }

    /// Whether what was found is this fault, and for [`Self::Nothing`], that nothing was.
    pub(crate) fn found_in(self, found: &[String]) -> bool {
        let tells = match self {
            Self::Nothing => return found.is_empty(),
            Self::Leak => "more bytes are allocated",
            Self::Files => "files are open",
            Self::Loss | Self::Repeat => "came back",
        };
        found.iter().any(|line| line.contains(tells))
    }
}

/// The fault at work in one handler of the server.
pub(crate) struct Planted {
    plant: Plant,
    connections: u64,
    messages: u64,
    leaked: Vec<Vec<u8>>,
    files: Vec<File>,
}

impl Planted {
    pub(crate) fn new(plant: Plant) -> Self {
        Self {
            plant,
            connections: 0,
            messages: 0,
            leaked: Vec::new(),
            files: Vec::new(),
        }
    }

    pub(crate) fn opened(&mut self) {
        self.connections += 1;
        match self.plant {
            Plant::Leak => self.leaked.push(vec![1; LEAK_BYTES]),
            Plant::Files if self.connections.is_multiple_of(CONNECTIONS_PER_FILE) => {
                self.files.extend(File::open("/dev/null"));
            }
            _ => {}
        }
    }

    /// How often the next message is sent back.
    pub(crate) fn copies(&mut self) -> usize {
        self.messages += 1;
        match self.plant {
            Plant::Loss if self.messages.is_multiple_of(MESSAGES_PER_FAULT) => 0,
            Plant::Repeat if self.messages.is_multiple_of(MESSAGES_PER_FAULT) => 2,
            _ => 1,
        }
    }
}
