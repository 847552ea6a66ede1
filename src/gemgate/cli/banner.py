"""What the server says when it starts, in the reader's language: where it is, what answers, and a command to try."""

import sys
from pathlib import Path

from gemgate import __version__
from gemgate.callers.first_key import FILE_NAME
from gemgate.config import Settings
from gemgate.upstreams.embedded.weights import name_of

ENGLISH = {
    "listens": "listens on {url}",
    "gemini": "answers from Gemini with {count} key(s)",
    "embedded": "answers from {model}, a small embedded demo model that is often wrong",
    "cure": "set GEMINI_API_KEY=… and start again to serve Gemini",
    "new_key": "made a client key: {key}   (kept in {path}, readable by you alone)",
    "old_key": "client key: in {path}",
    "set_keys": "client keys: {count} from your settings",
    "try": "Try it:",
    "code": "Or Claude Code:",
    "codex": "Or Codex:",
    "hello": "Hello! Who are you?",
    "your_key": "YOUR_CLIENT_KEY",
}
CHINESE = {
    "listens": "监听 {url}",
    "gemini": "由 Gemini 应答,共 {count} 个密钥",
    "embedded": "由内置的小型演示模型 {model} 应答(经常出错)",
    "cure": "设置 GEMINI_API_KEY=… 后重新启动,即由 Gemini 应答",
    "new_key": "已生成客户端密钥:{key}   (保存在 {path},仅您可读)",
    "old_key": "客户端密钥:见 {path}",
    "set_keys": "客户端密钥:配置中的 {count} 个",
    "try": "试一试:",
    "code": "或用 Claude Code:",
    "codex": "或用 Codex:",
    "hello": "你好!你是谁?",
    "your_key": "您的客户端密钥",
}


def banner(settings: Settings, port: int, made: tuple[str, bool] | None, model: str, *, language: str) -> str:
    """Write the greeting; `made` is the key of the first start and whether it is new, `None` where keys are set.

    A key is shown once, when it is made; later the command reads it from its file.
    """
    words = CHINESE if language.lower().startswith("zh") else ENGLISH
    host = settings.server.host
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    url = f"http://{shown}:{port}"
    lines = [f"{_bold('gemgate')} {__version__}", "  " + words["listens"].format(url=_bold(url))]
    if settings.gemini.api_keys:
        lines.append("  " + words["gemini"].format(count=len(settings.gemini.api_keys)))
    else:
        model = name_of(Path(settings.embedded.model_path) if settings.embedded.model_path else None)
        lines += ("  " + words["embedded"].format(model=model), "  " + words["cure"])
    path = settings.data_path / FILE_NAME
    if made is None:
        key = words["your_key"]
        lines.append("  " + words["set_keys"].format(count=len(settings.clients.api_keys)))
    elif made[1]:
        key = made[0]
        lines.append("  " + words["new_key"].format(key=_bold(key), path=path))
    else:
        key = f"$(cat '{path}')"
        lines.append("  " + words["old_key"].format(path=path))
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "{words["hello"]}"}}]}}'
    lines += (
        words["try"],
        f"  curl {url}/v1/chat/completions \\",
        f'    -H "Authorization: Bearer {key}" \\',
        '    -H "Content-Type: application/json" \\',
        f"    -d '{body}'",
    )
    if settings.gemini.api_keys:  # it says more than the embedded model can read
        lines += (words["code"], f'  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN="{key}" claude')
        provider = f'name="gemgate",base_url="{url}/v1",env_key="GEMGATE_KEY",wire_api="responses"'
        lines += (
            words["codex"],
            f'  GEMGATE_KEY="{key}" codex -m {model} -c model_provider=gemgate \\',
            f"    -c 'model_providers.gemgate={{{provider}}}'",
        )
    return "\n".join(lines)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
