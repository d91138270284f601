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
