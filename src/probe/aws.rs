//! AWS: who a pair of keys belongs to (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
//! The call needs no right, and no policy can take it away.

use super::{Answer, Fault, Probe, Probed, among, plain, probed, unclear};
use crate::call::{AwsKey, Clock, Hosts, Origin, Pattern, Prepared, Reply, Transport, Values, aws_sigv4};
use crate::model::{Secret, Unknown};
use std::collections::BTreeMap;
use std::time::Instant;

/// The partitions that can be reached from the internet, each with its own accounts and keys: one does not know the keys
/// of another, and a key does not tell where it belongs. The usual one first
/// (<https://docs.aws.amazon.com/general/latest/gr/sts.html>).
const PARTITIONS: &[(&str, &str, &str)] = &[
    ("the public partition", "us-east-1", "sts.us-east-1.amazonaws.com"),
    ("GovCloud", "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ("China", "cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ("the European Sovereign Cloud", "eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
];

/// `GetCallerIdentity`, signed.
pub struct AwsSts<'a> {
    /// Sends.
    pub transport: &'a dyn Transport,
    /// Where to, if the organisation has an endpoint of its own.
    pub hosts: &'a Hosts,
    /// If there are any, the only hosts that are asked.
    pub only: &'a [Pattern],
    /// Tells the time that is signed.
    pub clock: &'a dyn Clock,
}

impl Probe for AwsSts<'_> {
    fn name(&self) -> &'static str {
        "aws-sts"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["access_key_id"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let mut host = String::new();
        let came = self.ask(values, deadline, &mut host);
        probed(host, came)
    }
}

/// What one partition says.
enum Said {
    Clear(Answer),
    /// It has no such key.
    Unknown,
}

impl AwsSts<'_> {
    fn ask(&self, values: &Values, deadline: Instant, host: &mut String) -> Result<Answer, Fault> {
        let part = |name| values.get(name).filter(|v: &&Secret| !v.is_empty());
        let missing = || Fault::refused("a part of the key is missing");
        let (id, secret) = (part("access_key_id").ok_or_else(missing)?, part("secret").ok_or_else(missing)?);
        let token = part("session_token").or_else(|| part("token"));
        if id.expose().starts_with(b"ASIA") && token.is_none() {
            return Err(Fault::refused(
                "a temporary key works only with its session token, which is not near",
            ));
        }
        let key = AwsKey { id, secret, token };
        // An endpoint of the organisation stands for all of AWS: there is one answer.
        let own = self.hosts.replaces("aws");
        for (n, (name, region, place)) in PARTITIONS.iter().enumerate() {
            let said = self.partition(&key, region, place, deadline, host).map_err(|fault| match n {
                0 => fault,
                _ => Fault {
                    detail: format!("the partitions before do not know it; {name}: {}", fault.detail),
                    ..fault
                },
            })?;
            match said {
                Said::Clear(answer) => return Ok(answer),
                Said::Unknown if own => {
                    return Ok(Answer::Absent("InvalidClientTokenId".to_owned()));
                }
                Said::Unknown => {}
            }
        }
        let names: Vec<&str> = PARTITIONS.iter().map(|(name, ..)| *name).collect();
        Ok(Answer::Out(format!("InvalidClientTokenId from {}", names.join(", "))))
    }

    fn partition(
        &self,
        key: &AwsKey<'_>,
        region: &str,
        place: &str,
        deadline: Instant,
        host: &mut String,
    ) -> Result<Said, Fault> {
        let field = |name: &str, value: &str| (name.to_owned(), Secret::new(value.as_bytes()));
        let mut request = Prepared {
            method: "POST".to_owned(),
            tls: true,
            host: place.to_owned(),
            port: None,
            target: Secret::new(b"/"),
            headers: vec![field("Content-Type", "application/x-www-form-urlencoded")],
            body: Some(Secret::new(b"Action=GetCallerIdentity&Version=2011-06-15")),
        };
        let origin = Origin { provider: "aws", hosts: &[place.to_owned()], file: None };
        self.hosts.admit(&origin, None, &mut request).map_err(|e| Fault::refused(e.to_string()))?;
        among(self.only, &request.host)?;
        aws_sigv4(&mut request, key, region, "sts", self.clock.wall())
            .map_err(|e| Fault::refused(e.to_string()))?;
        *host = match request.port {
            Some(port) => format!("{}:{port}", request.host),
            None => request.host.clone(),
        };
        judge(&self.transport.read(&request, deadline)?)
    }
}

fn judge(reply: &Reply) -> Result<Said, Fault> {
    let body = reply.body.as_str();
    if reply.status == 200 && body.contains("<GetCallerIdentityResponse") {
        let identity = [("account", "Account"), ("arn", "Arn"), ("user id", "UserId")];
        let mut identity: BTreeMap<String, String> = identity
            .iter()
            .filter_map(|(name, tag)| Some(((*name).to_owned(), element(body, tag)?)))
            .collect();
        let arn = identity.get("arn").cloned().unwrap_or_default();
        identity.extend(caller(&arn).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        if !identity.contains_key("account") || !identity.contains_key("arn") {
            return Err(Fault::ambiguous("it names no caller"));
        }
        let detail = "GetCallerIdentity names the caller".to_owned();
        return Ok(Said::Clear(Answer::In { mutual: true, restricted: false, identity, detail }));
    }
    if !body.contains("<ErrorResponse") {
        return Err(unclear(reply));
    }
    let code = element(body, "Code").unwrap_or_default();
    match (reply.status, code.as_str()) {
        (403, "InvalidClientTokenId") => Ok(Said::Unknown),
        // The same code stands for a clock that is wrong.
        (403, "SignatureDoesNotMatch") if body.contains("request signature we calculated does not match") => {
            Ok(Said::Clear(Answer::Out(
                "SignatureDoesNotMatch: the secret is not that of the key id".to_owned(),
            )))
        }
        (403, "ExpiredToken") => Ok(Said::Clear(Answer::Out("ExpiredToken".to_owned()))),
        (_, "Throttling" | "ThrottlingException" | "RequestLimitExceeded") => {
            Err(Fault::new(Unknown::RateLimited, "it asks to slow down"))
        }
        _ => Err(Fault { detail: format!("{} (status {})", code, reply.status), ..unclear(reply) }),
    }
}

/// The text of the first element of a name, if it is plain.
/// Who calls, by its resource name: `caller` is `root`, `user`, `assumed-role` or `federated-user`, and of a user of IAM
/// `user` is its name, without its path.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn caller(arn: &str) -> Vec<(&'static str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (Some(service), Some(_), Some(_), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => vec![("caller", "root")],
        ("iam", Some(("user", path))) => {
            vec![("caller", "user"), ("user", path.rsplit_once('/').map_or(path, |(_, name)| name))]
        }
        ("sts", Some(("assumed-role", _))) => vec![("caller", "assumed-role")],
        ("sts", Some(("federated-user", _))) => vec![("caller", "federated-user")],
        _ => Vec::new(),
    }
}

fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.is_empty() && text.len() <= 2048 && !text.contains(['<', '&'])).then(|| long(text))
}

/// As [`plain`], for a resource name, which may be longer.
fn long(text: &str) -> String {
    text.as_bytes().chunks(64).map(|part| plain(&String::from_utf8_lossy(part))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answers, reply, values};
    use super::*;
    use crate::call::{Endpoint, SystemClock};
    use crate::model::Validity;
    use std::time::Duration;

    fn error(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    }

    fn ask(answers: &[(u16, String)], parts: &[(&str, &str)]) -> (Probed, Vec<String>) {
        let network = Answers::new(answers.iter().map(|(status, body)| Ok(reply(*status, body))).collect());
        let probe = AwsSts { transport: &network, hosts: &Hosts::default(), only: &[], clock: &SystemClock };
        let probed = probe.check(&values(parts), Instant::now() + Duration::from_secs(5));
        (probed, network.asked())
    }

    const PAIR: [(&str, &str); 2] = [("access_key_id", "an id"), ("secret", "a secret")];

    #[test]
    fn the_caller_is_named() {
        let body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ci</Arn><UserId>U1</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        let (probed, asked) = ask(&[(200, body.to_owned())], &PAIR);
        let Validity::Active { identity, .. } = probed.validity else { panic!("{probed:?}") };
        assert_eq!(
            (&*identity["account"], &*identity["arn"]),
            ("123456789012", "arn:aws:iam::123456789012:user/ci")
        );
        assert_eq!((&*identity["caller"], &*identity["user"]), ("user", "ci"));
        assert_eq!(asked, ["sts.us-east-1.amazonaws.com"]);
    }

    #[test]
    fn the_kind_of_caller_is_read_off_its_name() {
        let of = |resource: &str| {
            let arn = format!("arn:aws:{resource}");
            caller(&arn).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(of("iam::123456789012:root"), ["caller=root"]);
        assert_eq!(of("iam::123456789012:user/team/a/ci"), ["caller=user", "user=ci"]);
        assert_eq!(of("sts::123456789012:assumed-role/deploy/i-1"), ["caller=assumed-role"]);
        assert_eq!(of("sts::123456789012:federated-user/ann"), ["caller=federated-user"]);
        for odd in ["iam::123456789012:user", "iam::1:roots", "sts::1:user/x", "iam"] {
            assert!(of(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_key_is_dead_only_if_no_partition_knows_it() {
        let unknown =
            || (403, error("InvalidClientTokenId", "The security token included in the request is invalid."));
        let (probed, asked) = ask(&[unknown(), unknown(), unknown(), unknown()], &PAIR);
        assert_eq!((probed.validity, asked.len()), (Validity::Inactive, PARTITIONS.len()));
        let (probed, asked) = ask(&[unknown(), (503, String::new())], &PAIR);
        assert_eq!((probed.validity, asked.len()), (Validity::Unknown(Unknown::Unreachable), 2));
        assert!(probed.detail.contains("GovCloud"), "{}", probed.detail);
    }

    #[test]
    fn a_wrong_clock_or_a_firewall_is_no_proof_of_death() {
        let mismatch = "The request signature we calculated does not match the signature you provided.";
        for (status, body, expected) in [
            (403, error("SignatureDoesNotMatch", mismatch), Validity::Inactive),
            (
                403,
                error("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"),
                Validity::Unknown(Unknown::Ambiguous),
            ),
            (403, error("AccessDenied", "x"), Validity::Unknown(Unknown::Ambiguous)),
            (400, error("Throttling", "Rate exceeded"), Validity::Unknown(Unknown::RateLimited)),
            (403, "<html>blocked</html>".to_owned(), Validity::Unknown(Unknown::Blocked)),
            (200, "<html>sign in</html>".to_owned(), Validity::Unknown(Unknown::Blocked)),
            (200, "<GetCallerIdentityResponse/>".to_owned(), Validity::Unknown(Unknown::Ambiguous)),
            (429, String::new(), Validity::Unknown(Unknown::RateLimited)),
            (500, String::new(), Validity::Unknown(Unknown::Unreachable)),
        ] {
            assert_eq!(ask(&[(status, body.clone())], &PAIR).0.validity, expected, "{body}");
        }
    }

    #[test]
    fn an_endpoint_of_the_organisation_answers_alone() {
        let unknown = error("InvalidClientTokenId", "The security token included in the request is invalid.");
        let network = Answers::new(vec![Ok(reply(403, &unknown))]);
        let endpoint = Endpoint::new(Some("https://aws.corp.example"), false, None, &[], false).unwrap();
        let hosts = Hosts::new(BTreeMap::from([("aws".to_owned(), endpoint)]), [].into());
        let probe = AwsSts { transport: &network, hosts: &hosts, only: &[], clock: &SystemClock };
        let probed = probe.check(&values(&PAIR), Instant::now() + Duration::from_secs(5));
        assert_eq!((probed.validity, probed.elsewhere), (Validity::Inactive, true));
        assert_eq!(network.asked(), ["aws.corp.example"]);
    }

    #[test]
    fn hosts_that_the_operator_left_out_are_not_asked() {
        let network = Answers::new(vec![]);
        let only = [Pattern::of_operator("*.corp.example").unwrap()];
        let probe =
            AwsSts { transport: &network, hosts: &Hosts::default(), only: &only, clock: &SystemClock };
        let probed = probe.check(&values(&PAIR), Instant::now() + Duration::from_secs(5));
        assert_eq!((probed.validity, network.asked().len()), (Validity::Unknown(Unknown::Refused), 0));
    }

    #[test]
    fn a_temporary_key_needs_its_token() {
        let id = ["AS", "IA"].concat();
        let (probed, asked) = ask(&[], &[("access_key_id", &id), ("secret", "s")]);
        assert_eq!((probed.validity, asked.len()), (Validity::Unknown(Unknown::Refused), 0));
        let (probed, _) = ask(
            &[(403, error("ExpiredToken", "x"))],
            &[("access_key_id", &id), ("secret", "s"), ("session_token", "t")],
        );
        assert_eq!(probed.validity, Validity::Inactive);
    }
}
