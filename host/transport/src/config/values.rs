//! The values of directives, read.
use super::{
    directives::Values,
    expand::Tokens,
    lines::Line,
    resolve::{Family, HostKeyPolicy, Method},
};
use crate::fault::Fault;
use std::{net::IpAddr, path::PathBuf, time::Duration};

impl Line {
    /// The first argument as a number.
    pub(super) fn number<T: std::str::FromStr>(&self) -> Result<T, Fault> {
        self.arguments[0].parse().map_err(|_| {
            self.fault(format!("{} {:?} is not a number in range", self.keyword, self.arguments[0]))
        })
    }
}

impl Values<'_> {
    pub(super) fn flag(&self, keyword: &str) -> Result<Option<bool>, Fault> {
        let Some(line) = self.first.get(keyword) else { return Ok(None) };
        match line.arguments[0].to_lowercase().as_str() {
            "yes" | "true" => Ok(Some(true)),
            "no" | "false" => Ok(Some(false)),
            other => Err(line.fault(format!("{keyword} {other:?} is neither yes nor no"))),
        }
    }

    pub(super) fn policy(&self) -> Result<HostKeyPolicy, Fault> {
        let Some(line) = self.first.get("stricthostkeychecking") else {
            return Ok(HostKeyPolicy::AcceptNew);
        };
        match line.arguments[0].to_lowercase().as_str() {
            "yes" | "true" => Ok(HostKeyPolicy::Strict),
            // There is nobody to ask in the middle of a job.
            "accept-new" | "ask" => Ok(HostKeyPolicy::AcceptNew),
            "no" | "off" | "false" => Ok(HostKeyPolicy::Off),
            other => Err(line.fault(format!("StrictHostKeyChecking {other:?} is not known"))),
        }
    }

    pub(super) fn known_hosts(
        &self,
        keyword: &str,
        tokens: &Tokens<'_>,
    ) -> Result<Option<Vec<PathBuf>>, Fault> {
        let Some(line) = self.first.get(keyword) else { return Ok(None) };
        let paths = line.arguments.iter().filter(|argument| *argument != "none");
        paths
            .map(|argument| tokens.path(argument).map_err(|message| line.fault(message)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(super) fn connect_timeout(&self) -> Result<Duration, Fault> {
        match self.first.get("connecttimeout") {
            Some(line) if !matches!(line.arguments[0].as_str(), "none" | "0") => {
                line.number().map(Duration::from_secs)
            }
            _ => Ok(Duration::from_secs(10)),
        }
    }

    pub(super) fn family(&self) -> Result<Option<Family>, Fault> {
        let Some(line) = self.first.get("addressfamily") else { return Ok(None) };
        match line.arguments[0].to_lowercase().as_str() {
            "any" => Ok(None),
            "inet" => Ok(Some(Family::V4)),
            "inet6" => Ok(Some(Family::V6)),
            other => Err(line.fault(format!("AddressFamily {other:?} is not known"))),
        }
    }

    /// A path; `None` where nothing, or `none`, is said.
    pub(super) fn path(
        &self,
        keyword: &str,
        tokens: &Tokens<'_>,
    ) -> Result<Option<PathBuf>, Fault> {
        match self.first.get(keyword) {
            Some(line) if line.arguments[0] != "none" => {
                tokens.path(&line.arguments[0]).map(Some).map_err(|message| line.fault(message))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn bind(&self) -> Result<Option<IpAddr>, Fault> {
        let Some(line) = self.first.get("bindaddress") else { return Ok(None) };
        match line.arguments[0].as_str() {
            "*" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                line.fault(format!("BindAddress {text:?} is not an address"))
                    .hint("give an address of this machine, not a name")
            }),
        }
    }

    /// Ways to log in, in their order, less those that are switched off.
    pub(super) fn methods(&self) -> Result<Vec<Method>, Fault> {
        let off = |keyword: &str| Ok::<_, Fault>(self.flag(keyword)? == Some(false));
        let keys_off = match self.text("pubkeyauthentication") {
            Some("unbound" | "host-bound") => false,
            _ => off("pubkeyauthentication")?,
        };
        let questions_off = match self.flag("kbdinteractiveauthentication")? {
            Some(on) => !on,
            // Its old name.
            None => off("challengeresponseauthentication")?,
        };
        let password_off = off("passwordauthentication")?;
        let preferred = self
            .text("preferredauthentications")
            .unwrap_or("publickey,keyboard-interactive,password");
        let mut methods = Vec::new();
        for name in preferred.split(',') {
            let (method, off) = match name.trim() {
                "publickey" => (Method::PublicKey, keys_off),
                "keyboard-interactive" => (Method::KeyboardInteractive, questions_off),
                "password" => (Method::Password, password_off),
                _ => continue,
            };
            if !off && !methods.contains(&method) {
                methods.push(method);
            }
        }
        Ok(methods)
    }
}
