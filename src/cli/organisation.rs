//! The organisation's policy file, and what stands beside it: how the commands find and read them.

use super::{settings, usage};
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{Class, Confidence, Fingerprint};
use keywheel::rotate::inventory::{CodeOwners, Matched, ScanReport, match_report};
use keywheel::rotate::policy::check::{Discovered, Facts};
use keywheel::rotate::policy::{Catalogue, Looks, Name, Policy};
use keywheel::rule::{RuleSet, embedded_texts};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of a policy or a report.
const MOST: u64 = 256 << 20;

/// Which files.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OrganisationArgs {
    /// The organisation's policy; none is looked for
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_POLICY")]
    policy: Option<PathBuf>,
    /// The policy file of a repository, which may only be stricter
    #[arg(long, value_name = "FILE", requires = "repository")]
    repository_file: Option<PathBuf>,
    /// What the organisation's policy calls that repository
    #[arg(long, value_name = "NAME", requires = "repository_file")]
    repository: Option<Name>,
    /// A rule file or folder beside the embedded rules
    #[arg(long = "rules", value_name = "PATH")]
    pub(crate) rule_paths: Vec<PathBuf>,
}

impl OrganisationArgs {
    /// The organisation's file alone.
    pub(crate) fn of(policy: &Path) -> Self {
        OrganisationArgs { policy: Some(policy.to_owned()), ..OrganisationArgs::default() }
    }
}

impl OrganisationArgs {
    /// Whether a policy is named at all.
    pub(crate) fn is_named(&self) -> bool {
        self.policy.as_ref().is_some_and(|p| !p.as_os_str().is_empty())
    }

    /// The rule files beside the embedded ones.
    pub(crate) fn rule_paths(&self) -> &[PathBuf] {
        &self.rule_paths
    }
}

/// A policy, ready to be held against what is known.
pub(crate) struct Organisation {
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    pub(crate) rules: Arc<RuleSet>,
    catalogue: Catalogue,
}

impl Organisation {
    pub(crate) fn new(args: &OrganisationArgs) -> Result<Self> {
        let path = args.policy.as_deref().filter(|p| !p.as_os_str().is_empty()).ok_or_else(|| {
            usage("name the organisation's policy: --policy FILE, or KEYWHEEL_POLICY; what lies in a repository is not it")
        })?;
        nobody_else_writes(path)?;
        let rules = settings::rules(&args.rule_paths, &[])?;
        let own = rule_texts(&args.rule_paths)?;
        let texts = embedded_texts().iter().map(|(name, text)| (Path::new(name), *text));
        let own = own.iter().map(|(path, text)| (path.as_path(), text.as_str()));
        let catalogue = Catalogue::new(&rules, texts.chain(own)).map_err(usage)?;
        let rules = Arc::new(rules);
        let detector = Detector::new(Arc::clone(&rules));
        let screen = |text: &str| looks(&detector, text);
        let mut policy = Policy::parse(path, &read(path)?, &screen).map_err(usage)?;
        if let (Some(file), Some(name)) = (&args.repository_file, &args.repository) {
            policy.add_repository(name, file, &read(file)?, &screen).map_err(usage)?;
        }
        Ok(Organisation { policy, now: Timestamp::now(), rules, catalogue })
    }

    /// Reads the text of a policy as the organisation's own was read.
    pub(crate) fn parsed(&self, text: &str) -> Result<Policy> {
        let detector = Detector::new(Arc::clone(&self.rules));
        Policy::parse(self.policy.path(), text, &|text: &str| looks(&detector, text)).map_err(usage)
    }

    pub(crate) fn facts<'a>(&'a self, discovered: Option<&'a Discovered>) -> Facts<'a> {
        Facts { catalogue: &self.catalogue, now: self.now, discovered }
    }
}

/// What in a policy looks like a credential. Fingerprints, and the ids of accounts, look like the keys of
/// providers whose keys have no shape of their own.
fn looks(detector: &Detector, text: &str) -> Option<Looks> {
    let rules = detector.rules();
    let found = detector.scan(text.as_bytes(), b"", &mut Workspace::default());
    let shaped = found.into_iter().filter(|f| rules.kinds()[f.kind].class == Class::Structured);
    let mut real = shaped.filter(|f| {
        let line = text[..f.span.start].rsplit('\n').next().unwrap_or_default().trim_start();
        let print = text[..f.span.start].rfind("kw1:").and_then(|at| text.get(at..at + 45));
        let inside =
            print.is_some_and(|p| Fingerprint::parse(p).is_some() && f.span.end <= f.span.start + 45);
        f.confidence == Confidence::High || !(inside || line.starts_with("account"))
    });
    real.next().map(|f| Looks { at: f.span.start, like: rules.reference(f.kind).name.clone() })
}

/// A policy says where secrets go: whoever can write it can have them.
#[cfg(unix)]
fn nobody_else_writes(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(path) {
        Ok(m) if m.is_file() && m.mode() & 0o002 != 0 => Err(usage(format!(
            "{}: everybody may write this file, which says where secrets go; take that right away (chmod o-w)",
            path.display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn nobody_else_writes(_: &Path) -> Result<()> {
    Ok(())
}

/// The text of rule files and folders of them.
pub(crate) fn rule_texts(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries =
                fs::read_dir(path).map_err(|e| usage(format!("cannot read `{}`: {e}", path.display())))?;
            let toml = entries
                .filter_map(|e| e.ok().map(|e| e.path()))
                .filter(|p| p.extension().is_some_and(|e| e == "toml"));
            files.extend(toml);
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.into_iter().map(|path| read(&path).map(|text| (path, text))).collect()
}

/// A scan's report and the owners of the scanned repository.
pub(crate) struct Scanned {
    report: ScanReport,
    owners: Option<CodeOwners>,
}

impl Scanned {
    pub(crate) fn matched<'a>(&self, policy: &'a Policy) -> Result<Matched<'a>> {
        match_report(policy, &self.report, self.owners.as_ref()).map_err(usage)
    }
}

/// Reads a scan's report and a CODEOWNERS file.
pub(crate) fn report(path: &Path, owners: Option<&Path>) -> Result<Scanned> {
    let report = ScanReport::parse(&read(path)?).map_err(|e| usage(format!("{}: {e}", path.display())))?;
    let owners = owners.map(|path| {
        let owners = CodeOwners::parse(&read(path)?);
        if owners.ignored > 0 {
            super::output::tell(&format!("{}: {} lines cannot be used", path.display(), owners.ignored));
        }
        anyhow::Ok(owners)
    });
    Ok(Scanned { report, owners: owners.transpose()? })
}

/// Reads a file of text.
pub(crate) fn read(path: &Path) -> Result<String> {
    let wrong = |why: &dyn std::fmt::Display| usage(format!("cannot read `{}`: {why}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|e| wrong(&e))?;
    file.take(MOST + 1).read_to_string(&mut text).map_err(|e| wrong(&e))?;
    if text.len() as u64 > MOST {
        return Err(wrong(&"it is larger than 256 MiB"));
    }
    Ok(text)
}
