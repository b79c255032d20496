
/* Asks the server that the page came from for newer data; tells when it does not answer. */
(function follow() {
  const note = document.body.insertBefore(fill(document.createElement("p"), {class: "live", role: "status"}, ""), main);
  let last = JSON.stringify(data);
  async function ask() {
    if (document.hidden) return;
    try {
      const answer = await fetch("data.json", {cache: "no-store"});
      const text = await answer.text();
      if (!answer.ok) throw new Error(text);
      const found = JSON.parse(text);
      note.textContent = "";
      const changes = JSON.stringify(found);
      if (changes !== last) { last = changes; renewed(found); }
    } catch (error) {
      note.textContent = `These are older numbers: ${error.message || "no answer"}`;
    }
  }
  setInterval(ask, 1000 * __EVERY__);
  document.addEventListener("visibilitychange", ask);
})();
