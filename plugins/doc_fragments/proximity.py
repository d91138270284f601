# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules share: how Proxmox is reached, and what they promise."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - proxmoxer >= 2.2
  - requests
options:
  api_host:
    description:
      - Name or address of a node of the cluster. Required.
      - Read from the environment variable E(PROXIMITY_API_HOST) where it is not given.
    type: str
  api_port:
    description:
      - Port of the API. Also E(PROXIMITY_API_PORT).
    type: int
    default: 8006
  api_user:
    description:
      - User with realm, such as V(proximity@pve). Also E(PROXIMITY_API_USER).
      - May be left out where O(api_token_id) holds it.
    type: str
  api_token_id:
    description:
      - Name of an API token of O(api_user), or the whole V(user@realm!name). Also E(PROXIMITY_API_TOKEN_ID).
    type: str
  api_token_secret:
    description:
      - The token's secret. Also E(PROXIMITY_API_TOKEN_SECRET).
    type: str
  api_password:
    description:
      - Password of O(api_user), where there is no token. Also E(PROXIMITY_API_PASSWORD).
    type: str
  api_timeout_s:
    description:
      - How long one answer may take, in seconds. Also E(PROXIMITY_API_TIMEOUT_S).
    type: int
    default: 30
  api_retry_s:
    description:
      - How long a call is repeated that fails for a passing reason (no connection, a busy lock, a gateway's error), in seconds.
      - Also E(PROXIMITY_API_RETRY_S).
    type: int
    default: 30
  validate_certs:
    description:
      - Whether the API's certificate is checked. Also E(PROXIMITY_API_VALIDATE_CERTS).
    type: bool
    default: true
  ca_path:
    description:
      - File with the certificate of the authority that signed the API's certificate; C(/etc/pve/pve-root-ca.pem) of a node, as a rule.
      - Also E(PROXIMITY_API_CA_PATH).
    type: path
"""

    DEFAULTS = r"""
options:
  defaults:
    description:
      - What holds for every app whose own parameters say nothing else.
      - It counts when an app is created; afterwards the app keeps what it has.
    type: dict
    suboptions:
      resources:
        description: Sizes, instead of those that the entry recommends; where the entry needs more than that, what it needs.
        type: dict
        suboptions:
          cores:
            description: Number of CPU cores.
            type: int
          memory_mb:
            description: Memory, in MiB.
            type: int
          swap_mb:
            description: Swap, in MiB.
            type: int
          disk_gb:
            description: Size of the disk, in GiB.
            type: int
      network:
        description: The network.
        type: dict
        suboptions:
          bridge:
            description: Bridge of the node, instead of V(vmbr0).
            type: str
          subnet:
            description:
              - The IPv4 network behind the bridge, such as V(192.0.2.0/24).
              - An app with an address of this network needs neither prefix nor gateway of its own.
            type: str
          gateway:
            description: Gateway of this network. It counts for existing apps too, wherever they are given an address.
            type: str
          vlan:
            description: VLAN tag; V(0) for none.
            type: int
          mtu:
            description: MTU; V(0) for that of the bridge.
            type: int
          firewall:
            description: Whether the firewall of Proxmox filters the interface.
            type: bool
          dns:
            description: Addresses of name servers.
            type: list
            elements: str
          search_domain:
            description: Domain that names are looked up in.
            type: str
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Tells what would be done, without doing any of it.
    support: full
  diff_mode:
    description: Tells what differs, before and after, by key.
    support: full
  idempotent:
    description: Run again with nothing else changed, it changes nothing.
    support: full
  action_group:
    description: Use C(group/proximity.platform.proximity) in C(module_defaults) to give the connection once.
    support: full
    membership:
      - proximity.platform.proximity
"""
