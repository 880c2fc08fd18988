"""cstar, on another port than 22: it has no option for that. Run by main.py in the peers' environment."""
import os
import warnings

warnings.simplefilter("ignore")

import paramiko.client  # noqa: E402

connect = paramiko.client.SSHClient.connect


def connect_there(self, hostname, **given):
    return connect(self, hostname, port=int(os.environ["BENCH_PORT"]), **given)


paramiko.client.SSHClient.connect = connect_there

from cstar.cstarcli import main  # noqa: E402

main()
