import time
from tests.real.conftest import *
from tests.support.echo import echo as echo
from tests.support.manifest import *
TIMES=("100ms","500ms","999ms","1s","1500ms","2s","30s","0s")
def test_x(backends, echo, files, steer, connect):
    files.write("route.yaml", http_route("timeout","echo",
       *(rule("echo-v1", matches=[path(f"/t{t}", prefix=True)], timeouts={"request":t}) for t in TIMES)))
    ch = connect(steer()).dial("xds:///echo")
    out=[]
    for d in (20,5):
      for tt in reversed(TIMES):
       for _ in range(2):
        t=time.monotonic(); a=ch.call(method=f"/t{tt}/a",deadline_seconds=d)[0]; out.append((d,tt,round(time.monotonic()-t,3),a.code.name,a.error))
    print(*out,sep="\n"); assert 0
