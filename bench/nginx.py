"""nginx, the yardstick: Debian's own build, found or unpacked beside us, passing requests through unchanged."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench import BenchError
from bench.servers import ROOT, Server, free_port

UNPACKED = ROOT / ".build" / "nginx"
NO_NGINX = """nginx is not here and Debian's package could not be fetched ({reason}).
Install it with `apt-get install nginx-core` (Debian: `nginx`), or put an `nginx` on the PATH."""

CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    upstream gemini {{
        server 127.0.0.1:{upstream_port};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / {{ proxy_pass http://gemini; }}
        location ~ :streamGenerateContent$ {{
            proxy_pass http://gemini;
            proxy_buffering off;
            # A burst in one read, as the gateway takes it, not in pieces of 4 KB: twice as cheap for nginx.
            proxy_buffer_size 64k; proxy_buffers 2 64k; proxy_busy_buffers_size 64k;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """An nginx that runs here."""

    binary: Path
    env: dict[str, str] = field(default_factory=dict)

    def version(self) -> str:
        run = subprocess.run([self.binary, "-v"], env=self.env, capture_output=True, text=True, check=True)
        return run.stderr.strip().rpartition("/")[2]

    def server(self, folder: Path, upstream_port: int) -> Server:
        """nginx between a free port and the upstream: one worker, kept-alive connections, streams unbuffered."""
        port = free_port()
        user = "user root root;" if os.geteuid() == 0 else ""
        folder.mkdir(parents=True)
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(user=user, folder=folder, port=port, upstream_port=upstream_port))
        command = [str(self.binary), "-e", "stderr", "-p", str(folder), "-c", str(config)]
        return Server(command, port, folder, self.env)


def find() -> Nginx:
    """The installed nginx, else the one unpacked earlier, else fetch it now."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if installed:
        return Nginx(Path(installed))
    unpacked = Nginx(UNPACKED / "usr/sbin/nginx", _library_path())
    try:
        if not unpacked.binary.exists():
            _unpack(["nginx"])
        if not _runs(unpacked):  # a library is missing, or an earlier run was cut off
            _unpack(["nginx", *_library_packages()])
            unpacked = Nginx(unpacked.binary, _library_path())
        unpacked.version()
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise BenchError(NO_NGINX.format(reason=reason.strip())) from error
    return unpacked


def _runs(nginx: Nginx) -> bool:
    return subprocess.run([nginx.binary, "-v"], env=nginx.env, capture_output=True).returncode == 0


def _library_path() -> dict[str, str]:
    folders = [path for lib in ("usr/lib", "lib") for path in (UNPACKED / lib).glob("*-linux-*") if path.is_dir()]
    return {"LD_LIBRARY_PATH": ":".join(map(str, folders))} if folders else {}


# -- Debian's packages, unpacked without installing ----------------------------------------------------------------


def _private_lists() -> list[str]:
    """Options that give apt its own lists below .build, so that fresh ones need no rights and change no system."""
    apt = UNPACKED / "apt"
    (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={apt}/lists", "-o", f"Dir::Cache={apt}/cache", "-o", "APT::Sandbox::User=root"]


def _unpack(packages: list[str]) -> None:
    debs = UNPACKED / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    try:
        _run(["apt-get", "download", *packages], debs)
    except subprocess.CalledProcessError:  # no lists, or old ones
        private = _private_lists()
        _run(["apt-get", *private, "update"], debs)
        _run(["apt-get", *private, "download", *packages], debs)
    for deb in debs.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(deb), str(UNPACKED)], debs)


def _library_packages() -> list[str]:
    """The libraries that Debian's nginx asks for."""
    private = _private_lists()
    lists = private if any((UNPACKED / "apt/lists").glob("*Packages*")) else []
    lines = _run(["apt-cache", *lists, "depends", "nginx"], UNPACKED).splitlines()
    names = [line.split()[-1] for line in lines if line.strip().startswith("Depends:")]
    return [name for name in names if name.startswith(("lib", "zlib")) and not name.startswith("libc6")]


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
