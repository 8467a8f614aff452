"""What nginx is given to answer as S3 does: listing pages, checksum headers, its configuration. Text only.

Answers have the form of S3's (API reference: ListObjectsV2, GetObject with x-amz-checksum-mode ENABLED)
for objects under SSE-KMS whose CRC64NVME is stored as FULL_OBJECT. Requests are not checked: a signature
costs the client what it always costs, and the server nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from corpus import Stored

PAGE = 1000
QUOTED = {'"': "&quot;"}
FIRST_PAGE = "first"
REGION = "us-east-1"
CIPHER = "TLS_AES_128_GCM_SHA256"
KMS_KEY = f"arn:aws:kms:{REGION}:111111111111:key/11111111-2222-3333-4444-555555555555"
LOCATION = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>'
)

_COMMON_HEADERS = f"""add_header x-amz-request-id 0A1B2C3D4E5F6789;
      add_header x-amz-id-2 {"A" * 75}=;"""
_LISTS = f"""lists;
      default_type application/xml;
      {_COMMON_HEADERS}
      add_header x-amz-bucket-region {REGION};
      try_files /$bucket/$page.xml =404;"""
_OBJECTS = f"""data;
      {_COMMON_HEADERS}
      add_header x-amz-server-side-encryption aws:kms;
      add_header x-amz-server-side-encryption-aws-kms-key-id {KMS_KEY};
      add_header x-amz-server-side-encryption-bucket-key-enabled true;
      add_header x-amz-checksum-type $checksum_type;
      add_header x-amz-checksum-crc64nvme $checksum;"""


def list_pages(bucket: str, objects: Mapping[str, Stored], page: int = PAGE) -> Iterator[tuple[str, str]]:
    """Token and XML of each page, in order; the first has the token `FIRST_PAGE`, which no client sends."""
    keys = sorted(objects, key=str.encode)
    starts = range(0, len(keys), page) or range(1)
    for number, start in enumerate(starts):
        token = f"p{number}" if number else FIRST_PAGE
        following = f"p{number + 1}" if start + page < len(keys) else None
        here = keys[start : start + page]
        entries = "".join(_entry(key, objects[key]) for key in here)
        yield token, _page(bucket, entries, len(here), following)


def _page(bucket: str, entries: str, count: int, following: str | None) -> str:
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{escape(bucket)}</Name><Prefix></Prefix><KeyCount>{count}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>{more}{entries}</ListBucketResult>"
    )


def _entry(key: str, stored: Stored) -> str:
    modified = datetime.fromtimestamp(stored.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{modified}</LastModified>"
        f"<ETag>{escape(stored.etag, QUOTED)}</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        f"<Size>{stored.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def checksum_map(bucket: str, objects: Mapping[str, Stored]) -> str:
    """Lines of an nginx map from the path of an object to its checksum."""
    return "".join(f'"/{bucket}/{key}" "{stored.crc}";\n' for key, stored in objects.items())


def configuration(
    root: Path,
    *,
    tls_port: int,
    plain_port: int,
    workers: int,
    user: str | None,
    first_byte: float = 0.0,
    echo: Path | None = None,
) -> str:
    """nginx.conf. Below `root` it expects data/, lists/, temporary/, checksums.map, server.pem.

    The checksum goes out as S3 sends it: when asked for, and not with a range. One cipher for every
    client, else each picks its own and the comparison is one of ciphers. `echo` is the module that waits
    `first_byte` seconds before an answer.
    """
    module = f"load_module {echo};\n" if echo else ""
    as_user = f"user {user};\n" if user else ""
    lists, objects = (f"{{\n      root {root}/{kind}\n    }}" for kind in (_LISTS, _OBJECTS))
    named = ""
    if first_byte:
        named = f"location @lists {lists}\n    location @objects {objects}"
        lists, objects = (
            f"{{ echo_sleep {first_byte:.3f}; echo_exec {name}; }}" for name in ("@lists", "@objects")
        )
    return f"""{module}{as_user}daemon off;
worker_processes {workers};
pid {root}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 75s; keepalive_requests 1000000;
  client_body_temp_path {root}/temporary; proxy_temp_path {root}/temporary;
  fastcgi_temp_path {root}/temporary; uwsgi_temp_path {root}/temporary; scgi_temp_path {root}/temporary;
  types {{ }}
  default_type binary/octet-stream;
  map_hash_max_size 262144; map_hash_bucket_size 256;
  map $args $page {{
    default {FIRST_PAGE};
    "~(?:^|&)location" location;
    "~(?:^|&)continuation-token=(?<token>[^&]*)" $token;
  }}
  map $uri $stored {{ default ""; include {root}/checksums.map; }}
  map "$http_x_amz_checksum_mode:$http_range" $checksum {{ default ""; "ENABLED:" $stored; }}
  map $checksum $checksum_type {{ default FULL_OBJECT; "" ""; }}
  server {{
    listen 127.0.0.1:{plain_port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.pem;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};
    location ~ ^/(?<bucket>bench-[a-z-]+)/?$ {lists}
    location / {objects}
    {named}
  }}
}}
"""
