"""A live Pod, as far as its certificate depends on it."""

import msgspec

from steerway.sources.objects.slim import Slim

_FINISHED = ("Succeeded", "Failed")


class _Meta(Slim, frozen=True):
    uid: str = ""


class _PodCertificate(Slim, frozen=True):
    signer_name: str = ""


class _Source(Slim, frozen=True):
    pod_certificate: _PodCertificate | None = None


class _Projected(Slim, frozen=True):
    sources: tuple[_Source, ...] | None = ()


class _Volume(Slim, frozen=True):
    projected: _Projected | None = None


class _Spec(Slim, frozen=True):
    node_name: str = ""
    service_account_name: str = ""
    volumes: tuple[_Volume, ...] = ()


class _Status(Slim, frozen=True):
    phase: str = ""


class LivePod(Slim, frozen=True):
    """A Pod of the API server."""

    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def has_finished(self) -> bool:
        """Whether its containers have ended and do not start again."""
        return self.status.phase in _FINISHED

    @property
    def signer_names(self) -> frozenset[str]:
        """The signers of its podCertificate volumes."""
        sources = (
            source
            for volume in self.spec.volumes
            if volume.projected
            for source in volume.projected.sources or ()
        )
        return frozenset(source.pod_certificate.signer_name for source in sources if source.pod_certificate)


class Identified(Slim, frozen=True):
    """An object of which only the UID is read."""

    metadata: _Meta = _Meta()


POD = msgspec.json.Decoder(LivePod)
IDENTIFIED = msgspec.json.Decoder(Identified)
