//! What rotation needs of the world: references, servers, git, the time.

use crate::cli::verify::{proxy, roots};
use anyhow::Result;
use keywheel::call::{Http, HttpOptions, Pattern, Reach, SystemResolver, Transport};
use keywheel::model::Secret;
use keywheel::rotate::engine::{Call, Clock, SystemClock};
use keywheel::rotate::policy::{Reference, Url};
use keywheel::rotate::seal::Keyring;
use keywheel::rotate::store::{AppRole, Doors, OpenbaoSpec, Place, Server, Spec};
use keywheel::rotate::time::Moment;
use keywheel::rotate::transit::Transit;
use keywheel::source::git::{GitError, Index, Repository, Surroundings};
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes of a credential, and of certificates.
const MOST: u64 = 1 << 20;
/// How long a reference may take that leads over the network.
const FETCH: Duration = Duration::from_secs(20);

/// The doors of this process.
pub(super) struct World {
    /// What marks are keyed with; none while only references are resolved.
    ring: Option<Keyring>,
    /// One transport a server, so that connections are kept.
    open: Mutex<Vec<(Server, Arc<dyn Transport>)>>,
}

impl World {
    pub(super) fn new(ring: Option<Keyring>) -> World {
        World { ring, open: Mutex::new(Vec::new()) }
    }

    fn connect(&self, server: &Server) -> Result<Arc<dyn Transport>, String> {
        let mut reach = Reach::new(Arc::new(SystemResolver::default()));
        let host = match server.port {
            Some(port) => format!("{}:{port}", server.host),
            None => server.host.clone(),
        };
        // The organisation named it, wherever it stands.
        reach.allow_internal(Pattern::of_operator(&host).map_err(|e| format!("{host}: {e}"))?);
        let mut trusted = roots().map_err(|e| e.to_string())?;
        if let Some(ca) = &server.ca {
            trusted.push(b'\n');
            trusted.extend(self.resolve(ca, false)?.expose());
        }
        let proxy = proxy().map_err(|e| e.to_string())?;
        let options = HttpOptions { reach, roots: trusted, proxy, connect: None };
        Ok(Arc::new(Http::new(options).map_err(|e| e.to_string())?))
    }

    /// The value behind a reference. A file that holds a secret is its owner's alone.
    fn resolve(&self, reference: &str, secret: bool) -> Result<Secret, String> {
        match Reference::try_from(reference.to_owned())? {
            Reference::Env(name) => match env::var_os(&name) {
                Some(value) if !value.is_empty() => Ok(Secret::new(value.as_encoded_bytes())),
                _ => Err(format!("the variable {name} is not set")),
            },
            Reference::File(path) => file(&path, secret),
            Reference::OpenBao { path, field } => openbao(path, field),
        }
    }
}

impl Doors for World {
    fn transport(&self, server: &Server) -> Result<Arc<dyn Transport>, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, transport)) = open.iter().find(|(known, _)| known == server) {
            return Ok(Arc::clone(transport));
        }
        let transport = self.connect(server)?;
        open.push((server.clone(), Arc::clone(&transport)));
        Ok(transport)
    }

    fn fetch(&self, reference: &str) -> Result<Secret, String> {
        self.resolve(reference, true)
    }

    fn tracked(&self, file: &Path) -> Result<bool, String> {
        tracked(file).map_err(|e| e.to_string())
    }

    fn now(&self) -> Moment {
        SystemClock.now()
    }

    fn mark(&self, bytes: &[u8]) -> String {
        // Without a key nothing is written, so nothing is compared.
        self.ring.as_ref().map_or_else(|| "0".repeat(32), |ring| ring.mark(&Secret::new(bytes)))
    }
}

/// Reads a file without the line break at its end.
fn file(path: &Path, secret: bool) -> Result<Secret, String> {
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    let file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if secret && meta.permissions().mode() & 0o077 != 0 {
            return Err(format!("others may read {}: chmod 600 it", path.display()));
        }
    }
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len().min(MOST)).unwrap_or(0) + 1));
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MOST {
        return Err(format!("{} is longer than any credential", path.display()));
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(Secret::new(text)) }
}

/// The OpenBao that the environment names, as its own command does.
fn server() -> Result<OpenbaoSpec, String> {
    let var = |names: [&'static str; 2]| {
        names.into_iter().find_map(|n| env::var(n).ok().filter(|v| !v.is_empty()).map(|v| (n, v)))
    };
    let (_, address) =
        var(["BAO_ADDR", "VAULT_ADDR"]).ok_or("set BAO_ADDR, or VAULT_ADDR, to its address")?;
    let token = var(["BAO_TOKEN", "VAULT_TOKEN"]).map(|(name, _)| format!("env:{name}"));
    let role = var(["BAO_ROLE_ID", "VAULT_ROLE_ID"]).zip(var(["BAO_SECRET_ID", "VAULT_SECRET_ID"]));
    let approle = role.filter(|_| token.is_none()).map(|((role, _), (secret, _))| AppRole {
        role_id: format!("env:{role}"),
        secret_id: format!("env:{secret}"),
        mount: "approle".to_owned(),
    });
    if token.is_none() && approle.is_none() {
        return Err("set BAO_TOKEN, or VAULT_TOKEN; or BAO_ROLE_ID and BAO_SECRET_ID, to sign in by AppRole"
            .to_owned());
    }
    let address = Url::try_from(address)?.as_str().to_owned();
    Ok(OpenbaoSpec {
        plain: address.starts_with("http://"),
        address,
        ca: None,
        namespace: var(["BAO_NAMESPACE", "VAULT_NAMESPACE"]).map(|(_, v)| v),
        mount: None,
        token,
        approle,
    })
}

/// The key of its transit engine that `transit:NAME` names.
pub(super) fn transit(named: &str) -> Result<Transit, String> {
    let doors: Arc<dyn Doors> = Arc::new(World::new(None));
    Transit::new(named, &server()?, doors).map_err(|e| e.to_string())
}

/// A field of a secret in it.
fn openbao(path: String, field: String) -> Result<Secret, String> {
    let spec = Spec::Openbao(server()?);
    let place = Place { path, field: Some(field), ..Place::default() };
    let doors: Arc<dyn Doors> = Arc::new(World::new(None));
    let store = spec.open(&place, &doors).map_err(|e| e.to_string())?;
    let content = store.read(Call { deadline: Instant::now() + FETCH }).map_err(|e| e.to_string())?;
    content.current.ok_or_else(|| "nothing lies there".to_owned())
}

/// Whether the repository that holds a file tracks it, by its index.
fn tracked(file: &Path) -> Result<bool, GitError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let repository = match Repository::open(folder, &Surroundings::default()) {
        Ok(repository) => repository,
        Err(GitError::NotARepository { .. }) => return Ok(false),
        Err(e) => return Err(e),
    };
    let Some(top) = repository.work_tree.as_ref().and_then(|top| top.canonicalize().ok()) else {
        return Ok(false);
    };
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let Ok(inside) = real.strip_prefix(&top) else { return Ok(false) };
    if repository.index_file.symlink_metadata().is_err() {
        return Ok(false);
    }
    let index = Index::read(&repository.index_file, &repository.git_dir)?;
    let name = inside.as_os_str().as_encoded_bytes();
    // A folder that a sparse checkout leaves out stands for all that is in it.
    let covers = |path: &[u8]| path == name || path.ends_with(b"/") && name.starts_with(path);
    Ok(index.entries().iter().any(|entry| covers(index.path(entry))))
}
