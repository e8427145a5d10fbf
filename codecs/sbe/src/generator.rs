//! The generator for build scripts: from a schema file to a module file.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{SchemaErrors, SchemaWarning};
use crate::ir::Schema;

/// Generates one Rust module from one schema. The documentation of the crate has an example of a build
/// script.
///
/// ```no_run
/// # fn main() -> Result<(), tickwire_sbe::GenerateError> {
/// tickwire_sbe::Generator::new()
///     .schema("schemas/tick.xml")
///     .include_base("schemas/common")
///     .out("tick.rs")
///     .generate()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Generator {
    schema: Option<PathBuf>,
    include_base: Option<PathBuf>,
    out: Option<PathBuf>,
    codecs_path: String,
}

/// The result of [`Generator::generate`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generated {
    /// The generated file.
    pub path: PathBuf,
    /// The number of its lines.
    pub lines: usize,
    /// The number of messages in the schema.
    pub messages: usize,
    /// [`Schema::fingerprint`].
    pub fingerprint: u64,
    /// [`Schema::warnings`].
    pub warnings: Vec<SchemaWarning>,
}

/// The error of [`Generator::generate`].
#[derive(Debug)]
#[non_exhaustive]
pub enum GenerateError {
    /// A setter was not called; the text names it.
    Usage(&'static str),
    /// The schema is invalid.
    Schema(SchemaErrors),
    /// The module could not be written.
    Write(PathBuf, std::io::Error),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Schema(error) => error.fmt(f),
            Self::Write(path, error) => write!(f, "{} cannot be written: {error}", path.display()),
        }
    }
}

impl std::error::Error for GenerateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::Schema(error) => Some(error),
            Self::Write(_, error) => Some(error),
        }
    }
}

impl From<SchemaErrors> for GenerateError {
    fn from(error: SchemaErrors) -> Self {
        Self::Schema(error)
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl Generator {
    /// A generator without settings.
    pub fn new() -> Self {
        Self {
            schema: None,
            include_base: None,
            out: None,
            codecs_path: "::tickwire_codecs".into(),
        }
    }

    /// Sets the schema file.
    pub fn schema(mut self, path: impl Into<PathBuf>) -> Self {
        self.schema = Some(path.into());
        self
    }

    /// Sets a second folder for XIncludes, after the folder of the including file.
    pub fn include_base(mut self, folder: impl Into<PathBuf>) -> Self {
        self.include_base = Some(folder.into());
        self
    }

    /// Sets the module file. A relative path is inside cargo's `OUT_DIR` if that variable is set.
    pub fn out(mut self, path: impl Into<PathBuf>) -> Self {
        self.out = Some(path.into());
        self
    }

    /// Sets the path of the crate `tickwire-codecs`, by default `::tickwire_codecs`. The generated code uses
    /// the path in an inner module: begin it with `::` or `crate::`.
    pub fn codecs_path(mut self, path: impl Into<String>) -> Self {
        self.codecs_path = path.into();
        self
    }

    /// Reads and checks the schema and writes the module. In a build script it also prints the files that
    /// cargo must watch.
    ///
    /// # Errors
    /// [`GenerateError`]. Every fault of the schema has a file, a line and a column.
    pub fn generate(&self) -> Result<Generated, GenerateError> {
        let Some(schema_path) = &self.schema else {
            return Err(GenerateError::Usage(
                "no schema: call `Generator::schema` with its path",
            ));
        };
        let Some(out) = &self.out else {
            return Err(GenerateError::Usage(
                "no output: call `Generator::out` with the path of the module",
            ));
        };
        let out_dir = std::env::var_os("OUT_DIR").map(PathBuf::from);
        if out_dir.is_some() {
            println!("cargo::rerun-if-changed={}", schema_path.display());
        }
        let schema = Schema::read(schema_path, self.include_base.as_deref())?;
        if out_dir.is_some() {
            for file in &schema.files {
                println!("cargo::rerun-if-changed={}", file.display());
            }
        }
        let path = out_dir.unwrap_or_default().join(out);
        let text = crate::rust_source(&schema, &self.codecs_path);
        write(&path, &text)?;
        Ok(Generated {
            path,
            lines: text.lines().count(),
            messages: schema.messages.len(),
            fingerprint: schema.fingerprint(),
            warnings: schema.warnings,
        })
    }
}

fn write(path: &Path, text: &str) -> Result<(), GenerateError> {
    let fail = |e| GenerateError::Write(path.to_path_buf(), e);
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    std::fs::write(path, text).map_err(fail)
}
