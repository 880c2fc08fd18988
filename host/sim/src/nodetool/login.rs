//! What nodetool does with a user and a password, and what JMX says to them (Java's own authenticator, which reads
//! `jmxremote.password`).
use super::Arguments;
use crate::requests::Reply;

/// The password that a call has. As with the real one a file counts for its user only, and its words end at white space.
pub(super) fn password(arguments: &Arguments<'_>) -> Result<Option<String>, Reply> {
    let (Some(user), Some(path)) = (arguments.user, arguments.password_file) else {
        return Ok(arguments.password.map(str::to_owned));
    };
    let text = std::fs::read_to_string(path).map_err(|_| {
        let error = format!("{path} (No such file or directory)");
        Reply::of(
            2,
            "",
            format!("error: {error}\n-- StackTrace --\njava.io.FileNotFoundException: {error}\n\n"),
        )
    })?;
    let own = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(user)).then(|| words.next()).flatten()
    });
    Ok(own.map(str::to_owned))
}

/// Whether JMX lets the caller in.
pub(super) fn check(
    wanted: Option<&(String, String)>,
    host: &str,
    user: Option<&str>,
    password: Option<&str>,
) -> Result<(), Reply> {
    let Some((name, secret)) = wanted else { return Ok(()) };
    let why = match user {
        None => "Credentials required",
        Some(user) if user == name && password == Some(secret) => return Ok(()),
        Some(_) => "Invalid username or password",
    };
    Err(Reply::of(
        1,
        "",
        format!(
            "nodetool: Failed to connect to '{host}:7199' - SecurityException: 'Authentication failed! {why}'.\n"
        ),
    ))
}
