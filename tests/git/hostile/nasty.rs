//! A repository that means harm: programs wherever git would run one, names that are options, objects
//! that no git would write, and files at which a careless reader waits for ever. Sane keys lie between.

use crate::Lab;
use crate::forge::{self, BLOB, COMMIT, Delta, Forge, TAG, TREE};
use keywheel::model::ObjectId;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Bytes of what unfolds to much more than it takes.
const BOMB: u64 = 300 << 20;
/// Folders inside each other.
const DEEP: u32 = 100_000;
/// Parents of one commit.
const PARENTS: u32 = 100_000;
/// Tags that point at each other in a row.
const TAGS: u32 = 10_000;

/// A repository `a` in a lab.
pub(crate) struct Nasty {
    pub(crate) lab: Lab,
    /// What a finding's line must hold, for each planted key that any reader of the history must find.
    pub(crate) everywhere: Vec<String>,
    /// Likewise, for those that commits lead to.
    pub(crate) in_range: Vec<String>,
    /// A range over nearly all of it.
    pub(crate) range: String,
}

/// A made-up key with a valid checksum, put together at run time.
pub(crate) fn key(n: u64) -> String {
    let crc = keywheel::rule::checksum::by_name("crc32-base62");
    let made = keywheel::rule::example::expand("<ghp_{a62:30}{checksum}>", crc, 0x6e61_7374 + n).unwrap();
    String::from_utf8(made.value).unwrap()
}

fn text(n: u64) -> Vec<u8> {
    format!("# settings {n}\ntoken = \"{}\"\nuser = \"nobody\"\n", key(n)).into_bytes()
}

/// A name that is no digest of anything.
fn odd(label: &str) -> ObjectId {
    forge::name("blob", format!("a name for {label}").as_bytes())
}

impl Nasty {
    pub(crate) fn new() -> Self {
        let lab = Lab::with_commits(&["one"]);
        let base = lab.git("a", &["rev-parse", "HEAD"]);
        lab.put("a/sane/settings.py", text(0));
        lab.put("a/.gitattributes", "* filter=evil diff=evil merge=evil text eol=crlf ident export-subst\n");
        // A bare repository in the tree, which git takes for one if it is entered.
        for (name, text) in [
            ("HEAD", "ref: refs/heads/main\n"),
            ("config", "[core]\nbare = true\nfsmonitor = touch \"$MARK\"/embedded\n"),
            ("objects/info/x", ""),
            ("refs/heads/x", ""),
        ] {
            lab.put(format!("a/inner.git/{name}"), text);
        }
        lab.git("a", &["add", "-A"]);
        lab.git("a", &["commit", "-q", "-m", "two"]);
        let head = lab.git("a", &["rev-parse", "HEAD"]);
        // Staged, and in no commit yet.
        lab.put("a/new.py", text(14));
        lab.git("a", &["add", "new.py"]);
        let mut nasty = Nasty {
            lab,
            everywhere: vec!["sane/settings.py".to_owned()],
            in_range: vec!["sane/settings.py".to_owned()],
            range: format!("{base}..refs/heads/nasty"),
        };
        nasty.objects(ObjectId::parse(head.as_bytes()).unwrap());
        nasty.refs(&head);
        nasty.programs();
        nasty
    }

    fn store(&self) -> std::path::PathBuf {
        self.lab.path("a/.git/objects")
    }

    /// Sees to it that a blob with a key has to be found, named by its own id.
    fn plant(&mut self, id: ObjectId) {
        self.everywhere.push(format!(".git/blob/{id}.txt"));
    }

    fn objects(&mut self, head: ObjectId) {
        let mut rows = self.trees();
        rows.extend(self.bombs());
        self.loops();
        self.chains();
        self.damaged();
        self.loose();
        rows.sort_by(|a, b| a.1.cmp(&b.1));
        let mut pack = Forge::default();
        let flat: Vec<u8> = rows.iter().flat_map(|(mode, name, id)| forge::row(mode, name, id)).collect();
        let tree = pack.whole(TREE, &flat);
        // One commit with very many parents, each of them there and each with a tree of its own.
        let mut parents = vec![head];
        let blob = pack.whole(BLOB, b"a parent's\n");
        for n in 0..PARENTS {
            let own = pack.whole(TREE, &forge::row("100644", format!("p{n}").as_bytes(), &blob));
            parents.push(pack.whole(COMMIT, &forge::commit(&own, &[], n, "a parent")));
        }
        let tip = pack.whole(COMMIT, &forge::commit(&tree, &parents, 1_700_000_100, "all of them"));
        let mut at = tip;
        for n in 0..TAGS {
            let kind = if n == 0 { "commit" } else { "tag" };
            let text = format!("object {at}\ntype {kind}\ntag t{n}\ntagger A <a@b.c> 1 +0000\n\nagain\n");
            at = pack.whole(TAG, text.as_bytes());
        }
        pack.write(&self.store(), "1000000000000000000000000000000000000000");
        self.lab.put("a/.git/refs/heads/nasty", format!("{at}\n"));
    }

    /// Trees with names that lead elsewhere, and one that is very deep with a key at its bottom.
    fn trees(&mut self) -> Vec<(&'static str, Vec<u8>, ObjectId)> {
        let mut pack = Forge::default();
        let plain = pack.whole(BLOB, b"nothing\n");
        let below = pack.whole(BLOB, &text(1));
        let long = vec![b'n'; 4000];
        let names: [&[u8]; 14] = [
            b"..",
            b".",
            b".git",
            b".GIT",
            b"git~1",
            b"a/b",
            b"/etc/passwd",
            b"../../x",
            b"",
            b"-rf",
            b"\xff\xfe",
            b"\x1b]0;x\x07",
            b"::error::x",
            &long,
        ];
        let mut odd_names: Vec<u8> = names.iter().flat_map(|n| forge::row("100644", n, &plain)).collect();
        odd_names.extend(names.iter().flat_map(|n| forge::row("40000", n, &ObjectId::EMPTY_TREE)));
        // The same name again and again, as a file, a folder, a link and a submodule.
        for mode in ["100644", "100755", "120000", "160000", "40000", "777777", "000000"] {
            odd_names.extend(forge::row(mode, b"twice", &plain));
            odd_names.extend(forge::row(mode, b"twice", &below));
        }
        let odd_tree = pack.whole(TREE, &odd_names);
        // It ends in the middle of an entry.
        let kept = pack.whole(BLOB, &text(13));
        let cut =
            pack.whole(TREE, &[&forge::row("100644", b"kept.py", &kept)[..], b"100644 cut\0abc"].concat());
        let key = pack.whole(BLOB, &text(2));
        let mut deep = pack.whole(TREE, &forge::row("100644", b"bottom.py", &key));
        // Near the bottom once more, where a range still reaches.
        let mut near = deep;
        for n in 0..DEEP {
            deep = pack.whole(TREE, &forge::row("40000", b"d", &deep));
            if n == 2000 {
                near = deep;
            }
        }
        self.everywhere.push("bottom.py".to_owned());
        self.in_range.push("bottom.py".to_owned());
        // It holds itself, which no digest allows but a pack can say.
        let itself = odd("a tree in itself");
        let rows = [forge::row("40000", b"self", &itself), forge::row("100644", b"x.py", &below)].concat();
        pack.claiming(itself, TREE, rows.len() as u64, &forge::deflated(&rows));
        // Ten times the next, ten levels deep.
        let mut wide = pack.whole(TREE, &forge::row("100644", b"leaf.py", &below));
        for _ in 0..10 {
            let rows: Vec<u8> =
                (0..10).flat_map(|n| forge::row("40000", format!("w{n}").as_bytes(), &wide)).collect();
            wide = pack.whole(TREE, &rows);
        }
        pack.write(&self.store(), "2000000000000000000000000000000000000000");
        self.everywhere.push("kept.py".to_owned());
        vec![
            ("40000", b"odd".to_vec(), odd_tree),
            ("40000", b"cut".to_vec(), cut),
            ("40000", b"deep".to_vec(), deep),
            ("40000", b"near".to_vec(), near),
            ("40000", b"self".to_vec(), itself),
            ("40000", b"wide".to_vec(), wide),
            ("100644", b"..".to_vec(), plain),
            ("100644", b"absent".to_vec(), odd("an object that is not there")),
            ("40000", b"no-tree".to_vec(), below),
            ("100644", b"no-blob".to_vec(), odd_tree),
        ]
    }

    /// Objects that unfold to very much.
    fn bombs(&mut self) -> Vec<(&'static str, Vec<u8>, ObjectId)> {
        let mut pack = Forge::default();
        let mut rows = Vec::new();
        let zeros = forge::deflated_zeros(b"", BOMB);
        for (called, code) in
            [("blob", BLOB), ("base", BLOB), ("tree", TREE), ("commit", COMMIT), ("tag", TAG)]
        {
            let id = odd(&format!("a bomb as {called}"));
            let at = pack.claiming(id, code, BOMB, &zeros);
            rows.push((
                if code == TREE { "40000" } else { "100644" },
                format!("bomb-{called}").into_bytes(),
                id,
            ));
            if called == "base" {
                // It cannot be read as a stream: something is made from it.
                pack.by_offset(odd("made from a bomb"), at, &Delta::new(BOMB, 9).copy(7, 9).done());
            }
        }
        // The head claims far more than the data holds, and far less.
        pack.claiming(odd("a claim beyond all"), BLOB, u64::MAX >> 8, &forge::deflated(b"x"));
        pack.claiming(odd("a claim too low"), BLOB, 3, &zeros);
        // Each copies the one before sixteen times.
        let block = [&text(3)[..], &vec![b'z'; 0xff00]].concat();
        let at = pack.next();
        let planted = pack.whole(BLOB, &block);
        self.plant(planted);
        let (mut base, mut size) = (at, block.len() as u64);
        for level in 0..8 {
            let piece = size.min(0xff_ffff) as u32;
            let mut delta = Delta::new(size, 16 * u64::from(piece));
            for _ in 0..16 {
                delta = delta.copy(0, piece);
            }
            let id = odd(&format!("copies {level}"));
            base = pack.by_offset(id, base, &delta.done());
            size = 16 * u64::from(piece);
            rows.push(("100644", format!("copies-{level}").into_bytes(), id));
        }
        // Each a delta that claims a gigabyte, and makes nothing.
        let small = pack.next();
        pack.whole(BLOB, b"small");
        for n in 0..200 {
            pack.by_offset(odd(&format!("claim {n}")), small, &Delta::new(5, 1 << 30).copy(0, 5).done());
        }
        pack.write(&self.store(), "3000000000000000000000000000000000000000");
        rows
    }

    /// Deltas that lead back to themselves, within a pack and across two.
    fn loops(&mut self) {
        let [own, one, two, there, back] = ["itself", "one", "two", "there", "back"].map(odd);
        let delta = Delta::new(5, 5).copy(0, 5).done();
        let (mut pack, mut other) = (Forge::default(), Forge::default());
        let sane = pack.whole(BLOB, &text(4));
        self.plant(sane);
        pack.by_name(own, &own, &delta);
        pack.by_name(one, &two, &delta);
        pack.by_name(two, &one, &delta);
        pack.by_name(there, &back, &delta);
        other.by_name(back, &there, &delta);
        pack.by_name(odd("no base"), &odd("nowhere"), &delta);
        pack.by_offset(odd("between entries"), 13, &delta);
        pack.by_offset(odd("before the pack"), 1, &delta);
        pack.raw(odd("an unknown type"), &[0x50, 0x78, 0x9c]);
        pack.raw(odd("an endless size"), &[0xff; 40]);
        pack.write(&self.store(), "4000000000000000000000000000000000000000");
        other.write(&self.store(), "4100000000000000000000000000000000000000");
    }

    /// Chains of deltas that cost the square of their length unless care is taken.
    fn chains(&mut self) {
        let lines: String = (0..60_000).map(|n| format!("line {n} of it\n")).collect();
        let block = [&text(5)[..], lines.as_bytes()].concat();
        let size = block.len() as u32;
        let step = Delta::new(size.into(), size.into()).copy(0, size - 8);
        let mut pack = Forge::default();
        let mut base = pack.next();
        let planted = pack.whole(BLOB, &block);
        self.plant(planted);
        // A spine of large ones, each with something small beside the next.
        for n in 0..800u64 {
            let next = step.clone().insert(&n.to_le_bytes()).done();
            let below = pack.by_offset(odd(&format!("spine {n}")), base, &next);
            let beside = Delta::new(size.into(), 40).copy(0, 40).done();
            pack.by_offset(odd(&format!("beside {n}")), base, &beside);
            base = below;
        }
        pack.write(&self.store(), "5000000000000000000000000000000000000000");
        // A long one that breaks early: whoever asks for each of its links alone goes all the way.
        let mut pack = Forge::default();
        let mut base = pack.next();
        let planted = pack.whole(BLOB, &text(6));
        self.plant(planted);
        let size = text(6).len() as u64;
        for n in 0..20_000 {
            let right = Delta::new(size, size).copy(0, size as u32).done();
            let wrong = Delta::new(size + 1, size).copy(0, size as u32).done();
            base = pack.by_offset(odd(&format!("link {n}")), base, if n == 9000 { &wrong } else { &right });
        }
        pack.write(&self.store(), "5100000000000000000000000000000000000000");
    }

    /// Packs and indexes that are not what they say.
    fn damaged(&mut self) {
        let store = self.store();
        let mut made = |n: u64| {
            let mut pack = Forge::default();
            let id = pack.whole(BLOB, &text(n));
            for i in 0..200 {
                pack.whole(BLOB, format!("filler {n} {i} {}", "f".repeat(i)).as_bytes());
            }
            self.everywhere.push(format!(".git/blob/{id}.txt"));
            pack
        };
        let path = made(7).write(&store, "6000000000000000000000000000000000000000");
        fs::write(path.with_extension("idx"), [0x5a; 4000]).unwrap();
        let path = made(8).write(&store, "6100000000000000000000000000000000000000");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        for (n, claimed) in [(9, 5), (10, 1000), (11, u32::MAX)] {
            let forge = made(n);
            let path = forge.write(&store, &format!("62000000000000000000000000000000000000{n:02}"));
            let pack = forge.pack(claimed);
            fs::write(path.with_extension("idx"), forge.index(&pack, false)).unwrap();
            fs::write(path, pack).unwrap();
        }
        for (called, bytes) in [("63", &b"PACK"[..]), ("64", b""), ("65", b"PACK\0\0\0\x09\0\0\0\x01")] {
            fs::write(store.join(format!("pack/pack-{called}.pack")), bytes).unwrap();
        }
        fs::write(store.join("pack/multi-pack-index"), b"MIDX\x01\x01\xff\0\xff\xff\xff\xff").unwrap();
    }

    fn loose(&mut self) {
        let store = self.store();
        let put = |label: &str, bytes: &[u8]| forge::put_loose(&store, &odd(label), bytes);
        for kind in ["blob", "tree", "commit", "tag"] {
            let head = format!("{kind} {BOMB}\0");
            put(&format!("a loose bomb as {kind}"), &forge::deflated_zeros(head.as_bytes(), BOMB));
        }
        put("an endless head", &forge::deflated_zeros(b"blob ", 1 << 20));
        put("an unknown kind", &forge::deflated(b"evil 3\0abc"));
        put("too short", &forge::deflated(b"blob 9\0abc"));
        put("too long", &forge::deflated(b"blob 1\0abc"));
        put("a size beyond all", &forge::deflated(b"blob 99999999999999999999999\0abc"));
        put("no zlib", b"what is this");
        put("empty", b"");
        for (label, link) in [("a link out", "/etc/hostname"), ("a link to a device", "/dev/zero")] {
            let path = put(label, b"");
            fs::remove_file(&path).unwrap();
            symlink(link, path).unwrap();
        }
        for (label, folder) in [("a fifo", false), ("a folder", true)] {
            let path = put(label, b"");
            fs::remove_file(&path).unwrap();
            match folder {
                true => fs::create_dir(&path).unwrap(),
                false => self.lab.fifo(path.to_str().unwrap()),
            }
        }
        let planted = text(12);
        let id = forge::name("blob", &planted);
        let head = format!("blob {}\0", planted.len());
        put_as(&store, &id, &[head.as_bytes(), &planted].concat());
        self.plant(id);
    }

    /// Names that look like options, and files that cannot be read.
    fn refs(&self, head: &str) {
        for name in
            ["heads/-x", "heads/--upload-pack=touch", "tags/-rf", "heads/$(touch x)", "heads/a b;touch x"]
        {
            self.lab.put(format!("a/.git/refs/{name}"), format!("{head}\n"));
        }
        self.lab.put("a/.git/refs/heads/loop", "ref: refs/heads/loop\n");
        self.lab.put("a/.git/refs/heads/up", "ref: refs/../../../outside\n");
        self.lab.put("a/.git/refs/replace/".to_owned() + head, format!("{}\n", "1".repeat(40)));
        self.lab.put("a/.git/info/grafts", format!("{head}\n"));
        self.lab.put("a/.git/objects/info/alternates", "/\n../../../outside\n/dev/zero\n");
        for name in ["packed-refs", "MERGE_HEAD", "FETCH_HEAD", "refs/heads/fifo", "logs/refs/heads/fifo"] {
            self.lab.fifo(&format!("a/.git/{name}"));
        }
        self.lab.fifo("a/fifo");
        symlink("/dev/zero", self.lab.path("a/.git/ORIG_HEAD")).unwrap();
    }

    /// Whatever makes git run a program. Last, since from here on git itself is not safe here.
    fn programs(&self) {
        let program = |name: &str| {
            let path = self.lab.put(
                format!("bin/{name}"),
                format!("#!/bin/sh\n: >'{}'\n", self.lab.path(format!("ran-{name}")).display()),
            );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let fifo = self.lab.path("a/.git/include");
        self.lab.fifo(fifo.to_str().unwrap());
        let keys = [
            ("core", "fsmonitor"),
            ("core", "sshCommand"),
            ("core", "editor"),
            ("core", "pager"),
            ("core", "askPass"),
            ("core", "gitProxy"),
            ("core", "alternateRefsCommand"),
            ("diff", "external"),
            ("diff \"evil\"", "textconv"),
            ("diff \"evil\"", "command"),
            ("filter \"evil\"", "clean"),
            ("filter \"evil\"", "smudge"),
            ("filter \"evil\"", "process"),
            ("merge \"evil\"", "driver"),
            ("gpg", "program"),
            ("gpg \"ssh\"", "defaultKeyCommand"),
            ("credential", "helper"),
            ("sequence", "editor"),
            ("uploadpack", "packObjectsHook"),
            ("remote \"origin\"", "uploadpack"),
            ("trailer \"x\"", "command"),
            ("pager", "log"),
            ("interactive", "diffFilter"),
            ("man \"x\"", "cmd"),
            ("browser \"x\"", "cmd"),
        ];
        let mut config = String::from("[core]\nrepositoryformatversion = 0\nbare = false\nworktree = /\n");
        for (n, (section, name)) in keys.iter().enumerate() {
            config += &format!("[{section}]\n\t{name} = {}\n", program(&format!("key-{n}")));
        }
        let bang = program("alias");
        config += &format!("[alias]\n\tscan = !{bang}\n\tlog = !{bang}\n\tcat-file = !{bang}\n");
        config += "[filter \"evil\"]\n\trequired = true\n[remote \"origin\"]\n\tvcs = evil\n";
        config += &format!("\turl = ext::{bang}\n[protocol \"ext\"]\n\tallow = always\n");
        config += "[url \"ext::sh -c true \"]\n\tinsteadOf = https://\n";
        config +=
            &format!("[include]\n\tpath = {0}\n[includeIf \"gitdir:/\"]\n\tpath = {0}\n", fifo.display());
        config += &format!("[core]\n\thooksPath = {}\n", self.lab.path("a/.git/hooks").display());
        fs::write(self.lab.path("a/.git/config"), config).unwrap();
        for hook in [
            "pre-commit",
            "post-checkout",
            "reference-transaction",
            "pre-auto-gc",
            "post-index-change",
            "fsmonitor-watchman",
        ] {
            let made = program(&format!("hook-{hook}"));
            let _ = fs::create_dir(self.lab.path("a/.git/hooks"));
            fs::copy(made, self.lab.path(format!("a/.git/hooks/{hook}"))).unwrap();
        }
    }
}

fn put_as(store: &std::path::Path, id: &ObjectId, bytes: &[u8]) {
    forge::put_loose(store, id, &forge::deflated(bytes));
}
