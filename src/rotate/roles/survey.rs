//! What the catalogs tell of two roles before one takes the other's place.

use super::super::plan::shown;
use super::Pair;
use super::sql::{alter, literal, sessions, yes};
use crate::probe::{Console, ConsoleError};

/// Most differences that are told one by one.
const MOST: usize = 20;

/// What was found of a pair of roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What keeps the idle role from taking its turn, a sentence each.
    pub bars: Vec<String>,
    /// Roles of the two that are superusers.
    pub superusers: Vec<String>,
    /// What one of them has and the other has not, as far as the catalogs tell.
    pub differences: Vec<String>,
}

impl Survey {
    /// Why the idle role cannot take its turn, a sentence each.
    pub fn faults(&self, pair: &Pair) -> Vec<String> {
        let mut faults = self.bars.clone();
        if !pair.superuser {
            faults.extend(self.superusers.iter().map(|role| format!("{role} is a superuser")));
        }
        if !pair.differences && !self.differences.is_empty() {
            faults.push(format!("the two roles differ: {}", self.differences.join(", ")));
        }
        faults
    }
}

/// Looks, within a transaction. What it tries is undone.
pub(super) fn look(console: &mut Console, old: &str, idle: &str) -> Result<Survey, ConsoleError> {
    let mut found = Survey::default();
    let both = format!("({}, {})", literal(old), literal(idle));
    let rows = console.rows(&format!(
        "SELECT rolname, rolsuper, rolvaliduntil <= now(), rolname = current_user, \
         pg_has_role(current_user, oid, 'USAGE') OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE') \
         FROM pg_roles WHERE rolname IN {both}"
    ))?;
    for role in [old, idle] {
        let told = shown(role);
        let Some(row) = rows.iter().find(|row| row.first().is_some_and(|c| c.as_deref() == Some(role)))
        else {
            found.bars.push(format!("there is no role {told}"));
            continue;
        };
        if yes(row.get(1)) {
            found.superusers.push(told.clone());
        }
        if yes(row.get(2)) && role == idle {
            found
                .bars
                .push(format!("{told} has a VALID UNTIL that is over, so that no password of it works"));
        }
        if yes(row.get(3)) {
            found.bars.push(format!("the administrator is {told} itself"));
        }
        if !yes(row.get(4)) {
            found.bars.push(format!(
                "the administrator may not end sessions of {told} (GRANT pg_signal_backend, or the role)"
            ));
        }
    }
    if rows.len() < 2 {
        return Ok(found);
    }
    for (role, what) in [(old, "NOLOGIN"), (idle, "LOGIN PASSWORD NULL")] {
        if let Some(why) = tried(console, role, what)? {
            found.bars.push(format!("the administrator may not alter {}: {why}", shown(role)));
        }
    }
    let there = sessions(console, idle)?;
    if there.total > 0 {
        found.bars.push(format!("the idle role is in use: {}", there.words(idle)));
    }
    found.differences = differences(console, &both)?;
    Ok(found)
}

/// Why a change is refused, tried and undone.
fn tried(console: &mut Console, role: &str, what: &str) -> Result<Option<String>, ConsoleError> {
    console.does("SAVEPOINT trial")?;
    let why = match alter(console, role, what) {
        Ok(()) => None,
        Err(error @ ConsoleError::Refused { .. }) => Some(error.to_string()),
        Err(error) => return Err(error),
    };
    console.does("ROLLBACK TO SAVEPOINT trial")?;
    Ok(why)
}

/// What only one of them has: attributes, memberships, settings, what it owns and what was granted to it. The values of
/// settings are compared and not told.
fn differences(console: &mut Console, both: &str) -> Result<Vec<String>, ConsoleError> {
    let rows = console.rows(&format!(
        "WITH r AS (SELECT * FROM pg_roles WHERE rolname IN {both}), f(role, told, exact) AS (
           SELECT rolname::text, a.told, a.told FROM r CROSS JOIN LATERAL (VALUES
             (rolsuper, 'SUPERUSER'), (rolinherit, 'INHERIT'), (rolcreaterole, 'CREATEROLE'),
             (rolcreatedb, 'CREATEDB'), (rolreplication, 'REPLICATION'), (rolbypassrls, 'BYPASSRLS'),
             (rolconnlimit >= 0, 'CONNECTION LIMIT ' || rolconnlimit),
             (rolvaliduntil IS NOT NULL, 'VALID UNTIL ' || coalesce(rolvaliduntil::text, ''))
           ) a(has, told) WHERE a.has
           UNION ALL
           SELECT r.rolname::text, m.told, m.told FROM r CROSS JOIN LATERAL (
             SELECT 'member of ' || g.rolname || CASE WHEN m.admin_option THEN ' with ADMIN' ELSE '' END
               || CASE WHEN to_jsonb(m) ->> 'inherit_option' = 'false' THEN ' without INHERIT' ELSE '' END
               || CASE WHEN to_jsonb(m) ->> 'set_option' = 'false' THEN ' without SET' ELSE '' END AS told
             FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) m
           UNION ALL
           SELECT r.rolname::text, 'setting ' || split_part(s, '=', 1), 'setting ' || d.setdatabase || s
             FROM r JOIN pg_db_role_setting d ON d.setrole = r.oid CROSS JOIN LATERAL unnest(d.setconfig) s
           UNION ALL
           SELECT r.rolname::text,
             CASE d.deptype WHEN 'o' THEN 'owner of ' WHEN 'a' THEN 'rights on ' ELSE 'named by ' END
               || coalesce(CASE WHEN b.datname = current_database() OR d.dbid = 0
                 THEN pg_describe_object(d.classid, d.objid, d.objsubid) END, 'something in database ' || b.datname, '?'),
             concat_ws('/', d.dbid, d.classid, d.objid, d.objsubid, d.deptype)
             FROM r JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
             LEFT JOIN pg_database b ON b.oid = d.dbid
           UNION ALL
           SELECT r.rolname::text, x.privilege_type || ' on ' || o.told || CASE WHEN x.is_grantable THEN ' to grant on' ELSE '' END,
             concat_ws('/', o.kind, o.oid, x.privilege_type, x.is_grantable)
             FROM (SELECT 'c' AS kind, oid, oid::regclass::text AS told, relacl AS acl FROM pg_class
               UNION ALL SELECT 'n', oid, 'schema ' || nspname, nspacl FROM pg_namespace
               UNION ALL SELECT 'p', oid, oid::regprocedure::text, proacl FROM pg_proc
               UNION ALL SELECT 'd', oid, 'database ' || datname, datacl FROM pg_database) o
             CROSS JOIN LATERAL aclexplode(o.acl) x JOIN r ON r.oid = x.grantee)
         SELECT min(role), min(told) FROM f GROUP BY exact HAVING count(DISTINCT role) = 1
         UNION ALL
         SELECT 'the server', 'makes md5 passwords, and the new one is for SCRAM, which old drivers do not know'
           WHERE current_setting('password_encryption') NOT IN ('scram-sha-256')
         ORDER BY 1, 2 LIMIT {}",
        MOST + 1
    ))?;
    let cell = |row: &[Option<String>], n: usize| row.get(n).cloned().flatten().unwrap_or_default();
    let words = |row: &Vec<Option<String>>| {
        let told: Vec<_> = cell(row, 1).split(' ').map(shown).collect();
        let role = cell(row, 0);
        if role == "the server" {
            return format!("{role} {}", told.join(" "));
        }
        format!("only {} has {}", shown(&role), told.join(" "))
    };
    let mut told: Vec<_> = rows.iter().take(MOST).map(words).collect();
    if rows.len() > MOST {
        told.push("and more".to_owned());
    }
    Ok(told)
}
