"""mitmdump -s addons/gateway.py --set sluicegate_policy=policy.toml

Alone in its folder, because mitmproxy puts a script's folder on sys.path. It only installs the pipeline.
"""

from sluicegate.pipeline.script import configure, load

__all__ = ["configure", "load"]
