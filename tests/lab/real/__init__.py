"""Real guests of the lab: unprivileged LXC containers with systemd and dockerd, on nodes made of namespaces."""

from lab.real.lifecycle import RealLab, down, up
from lab.real.prerequisites import Report, doctor, install_packages
from lab.real.runtime import RealRuntime

__all__ = ["RealLab", "RealRuntime", "Report", "doctor", "down", "install_packages", "up"]
