// A wallet as a browser extension puts it into a page (EIP-6963, EIP-1193); what it answers is decided outside.
(() => {
  const silence = new Promise(() => {});
  const provider = {
    request: async ({ method, params }) => {
      const answer = await window.askWallet(method, params ?? []);
      if (answer.silent) {
        return silence;
      }
      if (answer.code !== undefined) {
        throw Object.assign(new Error(answer.message), { code: answer.code });
      }
      return answer.result;
    },
  };
  const info = {
    uuid: "350670db-19fa-4704-a166-e52e178b59d2",
    name: "Test Wallet",
    icon: "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23d9822b'/%3E%3C/svg%3E",
    rdns: "org.example.testwallet",
  };
  const announce = () =>
    window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
