// The style guide's two buttons that show what a page cannot hold still.
import { confirmDanger } from "./dialog.js";
import { $ } from "./dom.js";
import { toast } from "./toast.js";

$("[data-sample-toast]").addEventListener("click", () => toast({ kind: "success", title: "Done: Make 10,000 demo students", text: "10,000 made · 2.1 s" }));
$("[data-sample-dialog]").addEventListener("click", async () => {
  if (await confirmDanger({ title: "Remove this folder?", text: "Its files go to the bin for 30 days.", action: "Remove" })) toast({ kind: "success", title: "Removed" });
});
