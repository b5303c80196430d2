/** Texts of accounts that a passkey holds. */
export const passkeys = {
  name: "passkey",
  accountName: (account: string): string => `Assent ${account.slice(0, 6)}…${account.slice(-4)}`,

  title: "Use this device",
  lead: "No wallet is needed: a passkey of this phone or computer can hold your account.",
  make: "Make an account with a passkey",
  signIn: (account: string): string => `Sign in with your passkey ${account}`,
  another: "Make another account on this device",
  making: "Your device asks you now, maybe twice: once to make the passkey, once to use it.",
  waiting: "Read what you sign, then unlock your passkey.",
  about: "What that means",
  points: [
    "Your account is a key that is made on this device. It is stored here only, locked by your passkey: your finger, your face or the code of your device opens it, each time you sign.",
    "Neither your hospital nor anybody else has a copy. Nobody can sign for you, and nobody can give the key back to you.",
    "If the device or the passkey is lost, or you clear this site's data in the browser, this account is gone for good. Your records are not, and what you allowed goes on until it ends.",
    "So add a second device while you have this one, and keep a stop on paper: both go on when this device is lost. Each device has an account and a passkey of its own, and each can be removed.",
    "Whoever knows the code of your device can sign as you. If it is stolen, stop what must stop from another device, or everything with your stop on paper, and tell the desk.",
  ],

  confirm: {
    signIn: "Sign in",
    signInLead: "You show that this account is yours. This gives no permission to anybody.",
    message: "The message you sign",
    members: "Every detail that is signed",
    next: "Your device then asks for your finger, your face or its code.",
    sign: "Sign with my passkey",
    none: "none",
    other: (type: string): string => `You sign: ${type}`,
    titles: {
      Grant: "You sign a decision",
      DelegatedGrant: "You sign a decision for somebody",
      Delegation: "You give a power of attorney",
      DelegatedDelegation: "You pass a power of attorney on",
      Revoke: "You stop one permission or power",
      DelegatedRevoke: "You stop one permission or power for somebody",
      RevokeAll: "You stop everything that you gave up to now",
      OpenSubject: "You take control of your records",
      EndForCause: "You end a power, and all that was given under it",
      DelegatedEndForCause: "You end a power for somebody, and all that was given under it",
      SetRecoveryPolicy: "You name who may help you to a new account",
      ProposeRecovery: "You propose a new account for somebody",
      AcceptRecovery: "This account takes over",
      VetoRecovery: "You refuse that another account takes over",
    } as Record<string, string>,
  },

  otherSite: (site: string): { what: string; next: string } => ({
    what: "This page is not at the address that the service has.",
    next: `Open ${site} and sign in there. An account made here would be of no use.`,
  }),
  errors: {
    declined: {
      what: "Your passkey was not used.",
      next: "You or the device stopped it, or the passkey is not there any more. Nothing was signed; try again.",
    },
    notSigned: { what: "You did not sign.", next: "Nothing was sent. Try again when you are ready." },
    notSignIn: {
      what: "The service asked for a signature that is no sign-in.",
      next: "Nothing was signed. Tell your hospital, and show them this page.",
    },
    noPrf: {
      what: "The passkeys of this device cannot hold a key.",
      next: "They lack the extension PRF. Update the device and its browser and try again; or keep the passkey in your phone's own password manager or on a newer security key; or open this page in the browser of a wallet app.",
    },
    noVerification: {
      what: "This device has no lock that a passkey could use.",
      next: "Set a code, a finger or a face in the settings of the device, then try again.",
    },
    none: {
      what: "This browser has no passkeys.",
      next: "Update it, or open this page in another browser or in the browser of a wallet app.",
    },
    place: {
      what: "Passkeys do not work at this address.",
      next: "They need an https address, or localhost on this machine. Ask your hospital for the right one.",
    },
    address: {
      what: "Passkeys do not work at an address that is a number.",
      next: "Open the page by its name; on the machine that runs the service, by http://localhost. Whoever runs it sets the name with: assent up --public-url",
    },
    storage: {
      what: "This browser did not let the page keep your key.",
      next: "Leave the private window, or free some space, then try again.",
    },
    unknown: {
      what: "The key of this account is not on this device.",
      next: "Sign in on the device where the account was made. If it is lost, use another of your devices or your stop on paper, and tell the desk of your hospital.",
    },
    otherKey: {
      what: "Your passkey did not open the key of this account.",
      next: "Choose the passkey that the account was made with. If it is lost, use another of your devices or your stop on paper, and tell the desk of your hospital.",
    },
    failed: {
      what: "Your passkey could not be used.",
      next: "Try again. If it stays so, restart the browser, or use another device that you added.",
    },
  },
};
