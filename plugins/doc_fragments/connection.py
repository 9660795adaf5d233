# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules of this collection reach Restate."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection."""

    DOCUMENTATION = r"""
requirements:
  - Python >= 3.11 (on the host that runs the module)
  - httpx >= 0.27, < 1 (on the host that runs the module)
  - pydantic >= 2.7, < 3 (on the host that runs the module)
options:
  backend:
    description:
      - What does the work. V(restate) calls Restate's own admin API.
      - V(dalp) posts to DALP's operator routes, where they are the only gate to Restate. DALP authorises and audits
        what is done. An option that a route cannot honour is refused by name, before anything is sent.
    type: str
    choices: [restate, dalp]
    default: restate
  admin_url:
    description:
      - URL of Restate's admin API, with a base path where a proxy wants one. A Unix socket is C(unix:/path).
      - It is reached through the proxy that C(HTTP_PROXY), C(HTTPS_PROXY) or C(ALL_PROXY) names where the module runs,
        unless C(NO_PROXY) lists its host; so are O(ingress_url) and O(dalp_url).
      - For a cluster, list several nodes, as a list or as a text with commas. If one cannot be connected to, the module
        asks the next one, also in the middle of a task. The C(source) of the audit record is the last one asked.
      - A read also goes to the next node if one does not answer within O(request_timeout), or keeps failing for
        3 seconds. A write does not, since the first node may still carry it out.
      - A node that failed is asked last for the rest of the task.
      - Userinfo in it is used for the requests and never shown.
      - If not set, the environment variable E(RESTATE_ADMIN_URL) is used, where the module runs.
    type: list
    elements: str
    default: [http://localhost:9070]
  ingress_url:
    description:
      - URL of Restate's ingress; several as with O(admin_url).
      - If not set, the environment variable E(RESTATE_INGRESS_URL) is used; without that the admin's hosts at port
        8080 or what the server advertises, whichever answers.
    type: list
    elements: str
  auth_token:
    description:
      - Bearer token for the admin API, and for O(ingress_url) where that is given. Blanks around it are left out.
      - If not set, the environment variable E(RESTATE_AUTH_TOKEN) is used.
    type: str
  headers:
    description:
      - Headers to send with each request to O(admin_url), and to O(ingress_url) where that is given.
      - A value is secret, and shown nowhere, unless the header's name tells otherwise. Shown are C(Accept),
        C(Content-*), C(Forwarded), C(X-Forwarded-*), C(X-Real-IP), C(Host), C(User-Agent), C(Via), those of tracing,
        and names that end in C(tenant), C(team), C(environment), C(env), C(stage), C(region), C(zone), C(cluster),
        C(namespace), C(version), C(request), C(correlation) or C(trace), with C(-id) or C(-name) behind it or without.
      - A header with C(auth), C(token), C(key), C(secret), C(pass), C(credential), C(cookie), C(session),
        C(signature), C(jwt), C(assertion) or C(cert) in its name is secret in any case.
    type: dict
    default: {}
  ca_path:
    description:
      - File of the certificate authorities to trust, instead of the system's.
      - If not set, the environment variable E(RESTATE_CA_PATH) is used.
    type: path
  client_cert:
    description:
      - File of a client certificate.
      - If not set, the environment variable E(RESTATE_CLIENT_CERT) is used.
    type: path
  client_key:
    description:
      - File of the client certificate's key, where it is not in O(client_cert).
      - If not set, the environment variable E(RESTATE_CLIENT_KEY) is used.
    type: path
  validate_certs:
    description: Whether to validate the server's certificate.
    type: bool
    default: true
  request_timeout:
    description:
      - How long to wait for an answer to a request, in seconds, from the connection to the end of the answer.
      - A node that does not answer costs a task this time once if another node answers.
    type: float
    default: 10
  retries:
    description:
      - How often to repeat a request after a connection error or an answer that says to try later.
      - A connection that is refused is tried again so often, for a write, too, since nothing was sent. What is not
        there or not answered within O(request_timeout) is not tried again, nor is a connection, since TCP itself has
        tried several times by then.
      - Whatever this number, a read that a server failed (an error of 500 and above), and an outcome that is unknown,
        are waited for up to 15 seconds in each outage, and 60 seconds in a task; V(0) switches that off, too. A write
        is repeated only after it was read whether it had happened. With O(backend=dalp), what may have happened never
        is.
    type: int
    default: 3
  write_grace:
    description:
      - How long a write whose answer never came may still be delivered, by a node that froze or a proxy that stalled;
        a duration such as V(2m). Until then its subjects are left with the reason V(write_in_doubt), since a late
        kill or purge would hit the next run of a workflow key, and a late removal a deployment that was registered
        again. What earlier tasks of this user left in doubt on this host counts, too.
      - The default is 10 times O(request_timeout), and 2 minutes at least.
      - Set it to V(0) when you know that the write is no longer on its way.
    type: str
  dalp_url:
    description:
      - URL of DALP, needed with O(backend=dalp). The credentials of the admin API are never sent there.
      - If not set, the environment variable E(DALP_API_URL) is used, where the module runs.
    type: str
  dalp_api_key:
    description:
      - API key of an operator with DALP's system operate permission, needed with O(backend=dalp).
      - If not set, the environment variable E(DALP_API_KEY) is used.
    type: str
  dalp_route_prefix:
    description: The path of DALP's operator routes. In some releases of DALP it ends in C(workflow-engine).
    type: str
    default: /api/v2/admin/operator/restate
"""
