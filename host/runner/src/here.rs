//! Commands that run on the operator's own machine, once for each node: what they are told of it.
use quorate_contract::NodeFacts;
use quorate_ports::{Program, Target};

/// Stands for the node's address in a command's words, as in cstarpar.
const ADDRESS: &str = "{}";

/// What a command is told of the node that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    address: String,
    /// For its environment.
    pub(crate) variables: Vec<(String, String)>,
}

impl Told {
    pub(crate) fn of(facts: &NodeFacts, target: &Target, cluster: &str) -> Self {
        let known = |value: &Option<String>| value.clone().unwrap_or_default();
        let variables = [
            ("NODE_ADDRESS", facts.address.clone()),
            ("NODE_HOST", target.host.clone()),
            ("NODE_HOST_ID", known(&facts.host_id)),
            ("NODE_DC", facts.data_center.clone()),
            ("NODE_RACK", facts.rack.clone()),
            ("NODE_VERSION", known(&facts.version)),
            ("NODE_STATUS", facts.state.0.clone()),
            ("NODE_CLUSTER", cluster.to_owned()),
            ("FQDN", target.host.clone()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { address: facts.address.clone(), variables }
    }

    /// The program with the node's address in place of `{}`. The text of a script stays as it is: it may mean something else by
    /// it. An address is made of hexadecimal digits, dots and colons, which no shell reads differently, quoted or not.
    pub(crate) fn address_in(&self, program: Program) -> Program {
        let with = |words: Vec<String>| -> Vec<String> {
            words.into_iter().map(|word| word.replace(ADDRESS, &self.address)).collect()
        };
        match program {
            Program::Argv(words) => Program::Argv(with(words)),
            Program::Script { text, interpreter, args } => {
                Program::Script { text, interpreter, args: with(args) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_contract::NodeState;
    use quorate_ports::NodeKey;

    fn told(address: &str, rack: &str) -> Told {
        let facts = NodeFacts {
            key: "n1".into(),
            host_id: None,
            address: address.into(),
            data_center: "dc 1".into(),
            rack: rack.into(),
            state: NodeState("DN".into()),
            version: Some("5.0.4".into()),
        };
        let target = Target { node: NodeKey("n1".into()), host: "ann@n1.example".into() };
        Told::of(&facts, &target, "Test 'Cluster'")
    }

    #[test]
    fn the_address_takes_the_place_of_the_braces_in_every_word() {
        let told = told("2001:db8::1", "r1");
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let program = Program::Argv(words(&["ssh", "ann@{}", "echo", "[{}]:{}", "{", "}"]));
        let expected =
            words(&["ssh", "ann@2001:db8::1", "echo", "[2001:db8::1]:2001:db8::1", "{", "}"]);
        assert_eq!(told.address_in(program), Program::Argv(expected));
        let script = |arg: &str| Program::Script {
            text: "find . -exec ls {} +".into(),
            interpreter: String::new(),
            args: vec![arg.into()],
        };
        assert_eq!(told.address_in(script("{}")), script("2001:db8::1"));
    }

    #[test]
    fn what_is_not_known_is_empty_and_odd_names_are_told_as_they_are() {
        let told = told("10.0.0.1", "r'1\" $(id) {}\n");
        let value = |name: &str| {
            let found = told.variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("NODE_HOST_ID"), Some(""));
        assert_eq!(value("NODE_RACK"), Some("r'1\" $(id) {}\n"));
        assert_eq!((value("NODE_DC"), value("NODE_STATUS")), (Some("dc 1"), Some("DN")));
        assert_eq!((value("FQDN"), value("NODE_HOST")), (Some("ann@n1.example"), value("FQDN")));
        assert_eq!(value("NODE_CLUSTER"), Some("Test 'Cluster'"));
    }

    #[test]
    fn an_address_holds_nothing_that_a_shell_would_read() {
        for text in ["10.0.0.1", "::1", "2001:db8::ffff:10.0.0.1", "fe80::1"] {
            let shown = quorate_ring::Address(text.parse().unwrap()).to_string();
            assert!(
                shown.chars().all(|c| c.is_ascii_hexdigit() || c == '.' || c == ':'),
                "{shown}"
            );
        }
    }
}
