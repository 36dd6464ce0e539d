"""What an S3 server answers when it does not do as it is asked, in plain words."""

import re

from werks.errors import SinkError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_FORBIDDEN = "this is forbidden; give credentials that may get, put, delete and list there"
_REGION = "the bucket lies in another region; mend region"
_REFUSED = {
    "NoSuchBucket": "there is no such bucket; make it or mend url",
    "InvalidBucketName": "there is no such bucket; mend url",
    "InvalidAccessKeyId": "the access key is not known there; mend access_key",
    "SignatureDoesNotMatch": "the secret key is wrong; mend secret_key",
    "ExpiredToken": "the credentials have expired; renew them",
    "InvalidToken": "the session token is wrong; renew the credentials",
    "AccessDenied": _FORBIDDEN,
    "AllAccessDisabled": _FORBIDDEN,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
}
_BY_STATUS = {
    "301": _REGION,
    "401": "credentials are asked for; set access_key and secret_key",
    "403": _FORBIDDEN,
}
# Where machines and containers in a cloud learn of their role: it is asked where nothing is set.
_ROLE = re.compile(r"/latest/(api|meta-data)|//169\.254\.")


class UnreachableError(Exception):
    """The store cannot be used now, and why; later it may."""


def explained(said: str, url: str) -> SinkError | UnreachableError:
    """Return an error of the client as a refusal, or as one that waiting may heal.

    Nothing of what the client says is quoted: servers put keys into their answers.
    """
    code = next((a or b for a, b in _CODE.findall(said)), "")
    status = next(iter(_STATUS.findall(said)), "")
    if code == "RequestTimeTooSkewed":
        return UnreachableError("finds this machine's clock wrong")
    refused = _REFUSED.get(code) or _BY_STATUS.get(status)
    if refused:
        return SinkError(f"{url}: {refused}")
    if _ROLE.search(said):
        return SinkError(f"{url}: no credentials were found; set access_key and secret_key")
    if status:
        return UnreachableError(f"answers {status}{f' ({code})' if code else ''}")
    if "kind: Connect" in said:
        return UnreachableError("cannot be reached")
    if "kind: Timeout" in said:
        return UnreachableError("does not answer in time")
    return UnreachableError("breaks connections off")
