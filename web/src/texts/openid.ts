/** Texts of signing in at an identity provider. */
export const openid = {
  signIn: (name: string): string => `Sign in with ${name}`,
  going: "You are taken there …",
  or: "Or with a user name and password of this service",
  managed: "managed by the identity provider",

  returning: "Signing you in …",
  title: "Sign-in",
  again: "Back to sign-in",
  errors: {
    notBegun: {
      what: "This sign-in was not begun in this tab, or it was finished already.",
      next: "Go back to sign-in and begin again. If a link from somebody else brought you here, close it.",
    },
    declined: {
      what: "You did not sign in there.",
      next: "Nothing happened here. Begin again when you are ready, or sign in another way.",
    },
    away: {
      what: "Your organisation's sign-in is not working at the moment.",
      next: "Try again in a few minutes. With a user name and password of this service you can sign in now.",
    },
    refused: {
      what: "Your organisation's sign-in did not accept the question of this service.",
      next: "Tell whoever runs this service: its entry at the identity provider is not right.",
    },
  },
};

/** What the service may refuse, in words. */
export const openidProblems = {
  openid_state_refused: openid.errors.notBegun,
  openid_code_refused: {
    what: "Your organisation's sign-in does not know this attempt any more.",
    next: "Begin again. If it stays so, tell whoever runs this service.",
  },
  openid_token_invalid: {
    what: "The answer of your organisation's sign-in could not be verified.",
    next: "Begin again. If it stays so, tell whoever runs this service: docs/openid.md lists what is checked.",
  },
  openid_no_role: {
    what: "You have no role in this service.",
    next: "Ask those who manage your organisation's accounts to give you one, then sign in again.",
  },
  openid_several_organisations: {
    what: "Your roles belong to several organisations; an account here acts for one.",
    next: "Ask those who manage your organisation's accounts to leave you the roles of one.",
  },
  openid_account_closed: {
    what: "Your account here was closed.",
    next: "Ask an operator of this service to open it again.",
  },
  openid_provider_unavailable: openid.errors.away,
  managed_by_provider: {
    what: "The identity provider manages this account.",
    next: "Change it there. Here it can be closed, and opened again.",
  },
};
