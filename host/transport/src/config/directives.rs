//! Which lines of a configuration apply to a host, and what becomes of each directive.
use super::{
    criteria::{Circumstances, matches},
    lines::{ConfigFile, Line},
    pattern::list_matches,
};
use crate::fault::Fault;
use std::collections::BTreeMap;

/// Directives that change how one must connect, can't be honoured, and have one harmless value.
const UNSUPPORTED: [(&str, &[&str]); 5] = [
    ("knownhostscommand", &["none"]),
    ("pkcs11provider", &["none"]),
    ("remotecommand", &["none"]),
    ("bindinterface", &[]),
    ("canonicalizehostname", &["no", "none", "false"]),
];

/// Directives that change nothing here, or nothing that must be: not worth a word.
const HARMLESS: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "clearallforwardings",
    "compression",
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
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
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
    "tcpkeepalive",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "usekeychain",
    "verifyhostkeydns",
    "versionaddendum",
    "visualhostkey",
    "xauthlocation",
];

/// Directives whose value is used.
const SUPPORTED: &[&str] = &[
    "addressfamily",
    "bindaddress",
    "challengeresponseauthentication",
    "connectionattempts",
    "connecttimeout",
    "globalknownhostsfile",
    "hashknownhosts",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "port",
    "preferredauthentications",
    "proxycommand",
    "proxyjump",
    "pubkeyauthentication",
    "revokedhostkeys",
    "stricthostkeychecking",
    "tag",
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
    /// All lines that name certificates.
    pub(super) certificate_files: Vec<&'a Line>,
    /// A `Match final` was met: the configuration is read once more.
    pub(super) wants_last_pass: bool,
}

/// Collects the values in effect: `active` tells whether the block that includes the file applies.
pub(super) fn collect<'a>(
    file: &'a ConfigFile,
    at: &Circumstances<'_>,
    active: bool,
    values: &mut Values<'a>,
) -> Result<(), Fault> {
    let mut applies = active;
    for line in &file.lines {
        match line.keyword.as_str() {
            "host" => {
                applies = active && list_matches(line.arguments.iter().map(String::as_str), at.host)
            }
            "match" => applies = active && matches(line, at, values)?,
            _ if !applies => {}
            "include" => {
                for included in &line.included {
                    collect(included, at, true, values)?;
                }
            }
            "identityfile" => values.identity_files.push(line),
            "certificatefile" => values.certificate_files.push(line),
            // The second pass is about the host that the first one found.
            "hostname" if at.last => {}
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
                        .fault(format!("{name} applies to {} and is not supported", at.original))
                        .hint("give the host a block of its own without it, or name another file with -F"));
                }
                values.first.insert(keyword, line);
            }
        }
    }
    Ok(())
}

impl Values<'_> {
    /// The first argument of a keyword's line.
    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        self.first.get(keyword).map(|line| line.arguments[0].as_str())
    }

    /// Directives in effect that do nothing here, for people. Those of the system's file aren't told: they came with it.
    pub(super) fn ignored(&self) -> Vec<String> {
        (self.first.values())
            .filter(|line| {
                let keyword = line.keyword.as_str();
                !line.system
                    && !SUPPORTED.contains(&keyword)
                    && !HARMLESS.contains(&keyword)
                    && !UNSUPPORTED.iter().any(|(name, _)| *name == keyword)
            })
            .map(|line| {
                format!("{}:{}: {} is ignored", line.file.display(), line.number, line.keyword)
            })
            .collect()
    }
}
