"""`true` on every host by parallel-ssh's libssh2 client. Run by main.py in the peers' environment."""
import sys

from pssh.clients import ParallelSSHClient

hosts_file, port, key, pool = sys.argv[1:]
hosts = open(hosts_file).read().split()
client = ParallelSSHClient(
    hosts,
    port=int(port),
    pkey=key,
    pool_size=int(pool),
    allow_agent=False,
    identity_auth=False,
)
outputs = client.run_command("true", stop_on_errors=False)
client.join(outputs)
print(f"{sum(output.exit_code == 0 for output in outputs)} done")
for output in outputs:
    if output.exception:
        print(output.host, output.exception)
