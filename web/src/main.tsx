// The page: it reads the events of the server, and shows the view that the address names.

import { render } from "preact";
import { useEffect } from "preact/hooks";
import { listen } from "./model/keyboard";
import { overlay } from "./model/overlay";
import { locked } from "./model/request";
import { link, route } from "./model/route";
import { events } from "./model/store";
import { Empty, Head } from "./part/layout";
import { Shell, VIEWS } from "./part/shell";
import { Changes } from "./view/changes";
import { Clients } from "./view/clients";
import { Explain } from "./view/explain";
import { Find } from "./view/find";
import { GraphView } from "./view/graph";
import { Help } from "./view/help";
import { Login } from "./view/login";
import { Matrix } from "./view/matrix";
import { NodeView } from "./view/node";
import { Overview } from "./view/overview";
import { Problems } from "./view/problems";
import { ServiceView } from "./view/service";
import { Services } from "./view/services";
import { WorkloadView } from "./view/workload";

function View() {
  const [view = "overview", id] = route.value.path;
  switch (view) {
    case "overview":
      return <Overview />;
    case "services":
      return id === undefined ? <Services /> : <ServiceView key={id} id={id} />;
    case "clients":
      return id === undefined ? <Clients /> : <WorkloadView key={id} id={id} />;
    case "nodes":
      return <NodeView key={id ?? ""} id={id ?? ""} />;
    case "matrix":
      return <Matrix />;
    case "graph":
      return <GraphView />;
    case "changes":
      return <Changes id={id ?? ""} />;
    case "problems":
      return <Problems />;
    case "explain":
      return <Explain />;
    default:
      return (
        <>
          <Head title="Not found" name="Not found" />
          <Empty title={`There is no view ${view}`}>
            <a href={link("overview")}>Overview</a>
          </Empty>
        </>
      );
  }
}

function App() {
  useEffect(() => {
    events();
    listen(VIEWS);
  }, []);
  if (locked.value) return <Login />;
  return (
    <>
      <Shell>
        <View />
      </Shell>
      {overlay.value === "help" && <Help />}
      {overlay.value === "find" && <Find />}
    </>
  );
}

render(<App />, document.body);
