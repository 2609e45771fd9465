"""Settings of the web page; each field is a flag."""

import ipaddress
from dataclasses import dataclass

from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class WebConfig:
    """Address and limits of the web page, and the folders that it works in."""

    host: str = setting(
        "127.0.0.1",
        "Address that the page listens at. Any address but a loopback one needs --auth.",
    )
    port: int = setting(7860, "Port of the page; 0 chooses a free one.", minimum=0, maximum=65_535)
    auth: str = setting(
        "", "USER:PASSWORD that the page asks for. A flag file keeps it off the command line."
    )
    runs_dir: str = setting(
        "runs",
        "Folder of the runs. The page shows, trains and deletes run folders inside it only.",
        is_path=True,
    )
    recordings_dir: str = setting(
        "",
        "Folder that training recordings on this machine are taken from. By default the page "
        "accepts any folder at a loopback address, and only uploads at another address.",
        is_path=True,
    )
    max_upload_mb: int = setting(
        200, "Largest file that can be uploaded, in MB.", minimum=1, maximum=100_000
    )
    max_files: int = setting(
        1000, "Largest number of files in one upload.", minimum=1, maximum=100_000
    )
    max_seconds: int = setting(
        600, "Longest recording that the page converts, in seconds.", minimum=1, maximum=86_400
    )
    max_job_seconds: int = setting(
        1800,
        "Time after which a conversion of several files begins no further file, in seconds.",
        minimum=1,
        maximum=604_800,
    )
    max_queue: int = setting(
        16, "Largest number of requests that wait for their turn.", minimum=1, maximum=10_000
    )
    max_trainings: int = setting(
        1, "Largest number of trainings that run at once.", minimum=1, maximum=100
    )
    max_live: int = setting(
        2,
        "Largest number of live conversions at once. Each takes about a third of a core.",
        minimum=1,
        maximum=100,
    )
    max_live_seconds: int = setting(
        3600, "Longest live conversion, in seconds.", minimum=1, maximum=86_400
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine reach the page."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def user_and_password(self) -> tuple[str, str] | None:
        """User and password that the page asks for; None without --auth."""
        user, _, password = self.auth.partition(":")
        return (user, password) if self.auth else None

    def validate(self) -> None:
        """Refuse an address without a password, and a password of the wrong form.

        Raises:
            InputError: `auth` is not USER:PASSWORD, or `host` needs it.
        """
        if self.auth and not all(self.user_and_password or ()):
            raise InputError("--auth is not USER:PASSWORD; expected both with a colon between them")
        if not self.is_loopback and not self.auth:
            raise InputError(
                f"--host is {self.host}, which other machines can reach; give --auth=USER:PASSWORD "
                "too, or leave --host out"
            )
