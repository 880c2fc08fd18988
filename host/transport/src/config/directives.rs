//! Which lines of a configuration apply to a host, and what becomes of each directive.
use super::{
    expand::host_name,
    lines::{ConfigFile, Line},
    pattern::list_matches,
};
use crate::fault::Fault;
use std::collections::BTreeMap;

/// Directives that change how one must connect, can't be honoured, and have one harmless value.
const UNSUPPORTED: [(&str, &[&str]); 11] = [
    ("proxyjump", &["none"]),
    ("proxycommand", &["none"]),
    ("certificatefile", &["none"]),
    ("knownhostscommand", &["none"]),
    ("pkcs11provider", &["none"]),
    ("revokedhostkeys", &["none"]),
    ("remotecommand", &["none"]),
    ("bindaddress", &[]),
    ("bindinterface", &[]),
    ("canonicalizehostname", &["no", "none", "false"]),
    ("pubkeyauthentication", &["yes", "true", "unbound", "host-bound"]),
];

/// Directives that change nothing here, or nothing that must be: not worth a word.
const HARMLESS: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "clearallforwardings",
    "compression",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "escapechar",
    "exitonforwardfailure",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hostbasedauthentication",
    "ignoreunknown",
    "ipqos",
    "kbdinteractiveauthentication",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "passwordauthentication",
    "permitlocalcommand",
    "permitremoteopen",
    "proxyusefdpass",
    "rekeylimit",
    "remoteforward",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "sessiontype",
    "setenv",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tag",
    "tcpkeepalive",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "usekeychain",
    "verifyhostkeydns",
    "versionaddendum",
    "visualhostkey",
    "xauthlocation",
    "challengeresponseauthentication",
];

/// Directives whose value is used.
const SUPPORTED: &[&str] = &[
    "addressfamily",
    "connecttimeout",
    "globalknownhostsfile",
    "hashknownhosts",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "port",
    "stricthostkeychecking",
    "user",
    "userknownhostsfile",
];

/// The values in effect for a host.
#[derive(Default)]
pub(super) struct Values<'a> {
    /// The first line of each keyword that applies.
    pub(super) first: BTreeMap<&'a str, &'a Line>,
    /// All lines that name identity files.
    pub(super) identity_files: Vec<&'a Line>,
}

/// Collects the values in effect: `active` tells whether the block that includes the file applies.
pub(super) fn collect<'a>(
    file: &'a ConfigFile,
    host: &str,
    active: bool,
    values: &mut Values<'a>,
) -> Result<(), Fault> {
    let mut applies = active;
    for line in &file.lines {
        match line.keyword.as_str() {
            "host" => {
                applies = active && list_matches(line.arguments.iter().map(String::as_str), host)
            }
            "match" => applies = active && matches(line, host, values)?,
            _ if !applies => {}
            "include" => {
                for included in &line.included {
                    collect(included, host, true, values)?;
                }
            }
            "identityfile" => values.identity_files.push(line),
            keyword => {
                // OpenSSH takes the two as one: whichever comes first.
                let other = match keyword {
                    "proxyjump" => "proxycommand",
                    "proxycommand" => "proxyjump",
                    _ => keyword,
                };
                if values.first.contains_key(keyword) || values.first.contains_key(other) {
                    continue;
                }
                let unsupported = UNSUPPORTED.iter().find(|(name, _)| *name == keyword);
                if let Some((name, harmless)) = unsupported
                    && !harmless.contains(&line.arguments[0].to_lowercase().as_str())
                {
                    return Err(line
                        .fault(format!("{name} applies to {host} and is not supported"))
                        .hint("give the host a block of its own without it, or name another file with -F"));
                }
                values.first.insert(keyword, line);
            }
        }
    }
    Ok(())
}

/// Whether a `Match` line applies. Criteria that can't be judged here only matter where the others hold.
fn matches(line: &Line, host: &str, values: &Values<'_>) -> Result<bool, Fault> {
    let mut unjudged = None;
    let mut arguments = line.arguments.iter();
    while let Some(criterion) = arguments.next() {
        let lower = criterion.to_lowercase();
        let (negated, name) =
            lower.strip_prefix('!').map_or((false, lower.as_str()), |name| (true, name));
        let (name, inline) = name
            .split_once('=')
            .map_or((name, None), |(name, value)| (name, Some(value.to_owned())));
        let holds = match name {
            "all" => true,
            "host" | "originalhost" => {
                let patterns = inline
                    .or_else(|| arguments.next().cloned())
                    .ok_or_else(|| line.fault(format!("Match {name} has no pattern")))?;
                // `host` means the name after HostName, as far as it has been read.
                let name = match values.first.get("hostname") {
                    Some(line) if name == "host" => host_name(&line.arguments[0], host)
                        .map_err(|message| line.fault(message))?,
                    _ => host.to_owned(),
                };
                list_matches(patterns.split(','), &name)
            }
            "canonical" | "final" => {
                // No second pass is made over the file, which is when these hold.
                unjudged.get_or_insert(name.to_owned());
                continue;
            }
            _ => {
                unjudged.get_or_insert(name.to_owned());
                if inline.is_none() {
                    arguments.next();
                }
                continue;
            }
        };
        if holds == negated {
            return Ok(false);
        }
    }
    match unjudged {
        None => Ok(true),
        Some(name) => Err(line
            .fault(format!("Match {name} can't be judged for {host}; only Match all, host and originalhost are supported"))
            .hint("use Host, or name another file with -F")),
    }
}

impl Values<'_> {
    /// Directives in effect that do nothing here, for people.
    pub(super) fn ignored(&self) -> Vec<String> {
        (self.first.values())
            .filter(|line| {
                let keyword = line.keyword.as_str();
                !SUPPORTED.contains(&keyword)
                    && !HARMLESS.contains(&keyword)
                    && !UNSUPPORTED.iter().any(|(name, _)| *name == keyword)
            })
            .map(|line| {
                format!("{}:{}: {} is ignored", line.file.display(), line.number, line.keyword)
            })
            .collect()
    }
}
