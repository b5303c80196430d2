/** Texts of getting an account back with the help of people whom the patient named. */
export const recoveryEvents: Record<string, string> = {
  "recovery.policy_set": "named who can bring the account back",
  "recovery.agreed": "agreed, as a guardian, to a new account",
  "recovery.accepted": "took the records on with a new account",
  "recovery.confirmed": "confirmed at the desk that the patient has a new account",
  "recovery.proposed": "began to move the records to a new account",
  "recovery.stopped": "stopped moving the records to a new account",
  "recovery.completed": "moved the records to a new account",
};

export const recovery = {
  title: "If you lose your account",
  lead: "Name people you trust. If you ever lose your phone or your keys, they can together move your records to a new account of yours.",

  /** On every page of the present account, while a recovery is under way. */
  banner: {
    pending: "Somebody is moving your records to another account.",
    until: (account: string, when: string): string =>
      `On ${when} the account ${account} takes over, and yours loses all control. Until then you cannot allow anything new.`,
    notYou: "If this is not you, stop it now.",
    stop: "Stop it",
    final:
      "It was stopped once before, and now the desk of your hospital stands behind it. If it is not you, go to the desk at once.",
    begun: (agreed: number, needed: number, account: string): string =>
      `${agreed} of ${needed} guardians want to move your records to the account ${account}.`,
    begunNext: "Nothing has happened yet. If this is not you, call your guardians.",
    title: "Stop moving your records?",
    sure: "Your account keeps control. You can do this once: if guardians try again, the desk of your hospital must stand behind them.",
    confirm: "Stop it now",
    stopped: "Stopped. Your account keeps control of your records.",
    stoppedNext: "Tell your guardians what happened, and name others if one of them cannot be trusted.",
  },

  policy: {
    title: "Who can bring it back",
    nobody: "Nobody yet. If you lose your account now, it is lost for good.",
    any: (threshold: number, of: number): string =>
      threshold === of
        ? threshold === 1
          ? "This person alone:"
          : `These ${of}, all together:`
        : `Any ${threshold} of these ${of}, together:`,
    waiting: (when: string): string => `From ${when} on it is this instead:`,
    why: "A change waits, so that a thief who has your phone cannot quickly name others.",
    gone: (count: number): string =>
      count === 1
        ? "One more was named who counts no longer."
        : `${count} more were named who count no longer.`,
    vetoSpent: "You have stopped a recovery once. The next one needs the desk of your hospital.",
  },

  guardians: {
    title: "Your guardians",
    lead: "A guardian sees none of your records and decides nothing for you. Two or more of them can only move your records to a new account, and you are told and can stop it.",
    none: "You have named nobody yet.",
    add: "Name a guardian",
    addLead:
      "Ask them to sign in on this page, with a wallet or a passkey. They find their account there and tell it to you. They need no records here.",
    name: "Who it is, and who you are to them",
    nameHint: "They read this when you need them. Name yourself, too: Anna Weber, sister of Jan Weber.",
    next: "See what you sign",
    note: "The power it names is an empty one, since the ledger knows none without any: it can be passed on to nobody. It shows nothing and decides nothing.",
    named: "The guardian is named.",
    namedNext: "Name at least two, then choose below how many of them must agree.",
    stop: "Take back",
    stopTitle: (name: string): string => `Take back that ${name} is your guardian?`,
    stopLead:
      "They still count for some days, so that a thief who has your phone cannot shake them off. Choose anew below who can bring your account back.",
    until: (day: string): string => `until ${day}`,
  },

  choose: {
    title: "Choose how many must agree",
    lead: "More than one, so that nobody can do it alone; fewer than all, so that one may be away.",
    tooFew: "Name a guardian first, better two or three.",
    alone: "With one guardian only, this person alone can start it. Better name two or three.",
    who: "Who counts",
    threshold: "How many of them must agree",
    of: (count: number, all: number): string => `${count} of ${all}`,
    next: "See what you sign",
    sheet: "Who can bring your account back",
    says: (threshold: number, of: number): string =>
      threshold === of
        ? "I want these people, all together, to be able to move my records to a new account of mine:"
        : `I want any ${threshold} of these ${of} people together to be able to move my records to a new account of mine:`,
    delay: (days: string): string =>
      `After they agree, ${days} pass in which I am told and can stop it. What I allowed and forbade stays as it is.`,
    ids: "Your wallet shows their guardianships by these ids:",
    sign: "Sign",
    done: "They can bring your account back.",
    doneLater: "The change is recorded.",
    doneNext: "Tell them, and tell them to call you before they ever agree to anything.",
  },

  /** For the account that is to take over. */
  claim: {
    title: "I lost my account",
    lead: "You named guardians before. Together they can move your records to the account that you are signed in with now.",
    open: "Get my account back",
    show: "Give this link to your guardians, by a call or in person:",
    account: "They compare this account with the one on your screen:",
    code: "The link for your guardians, for a camera",
    copyLink: "Copy the link",
    waiting: "Waiting for the first guardian …",
    keep: "Stay signed in with this account, or come back to it. Your link stays the same.",
    progress: "Getting your account back",
    agreed: (agreed: number, needed: number): string => `Guardians agree: ${agreed} of ${needed}`,
    accept: "You take the records on with this account",
    accepted: "You have taken the records on with this account",
    sign: "Sign to take them on",
    desk: "The desk of your hospital confirms: go there with proof of who you are, and this device",
    deskDone: "The desk of your hospital has confirmed",
    delay: (when: string): string =>
      `A time in which the old account can stop it, until ${when}. Then it goes on by itself.`,
    delayDesk: (when: string): string => `A time of waiting, until ${when}. Then it goes on by itself.`,
    delayDeskLater: "A time of waiting",
    delayLater: "A time in which the old account can stop it",
    done: "Your records open here",
    over: "It was stopped, or ran out of time. Your guardians can begin again with the same link.",
    after:
      "Afterwards, look at “Your devices” and “Who acts for you”, and stop what you do not know: whoever had your phone may have added it.",
  },

  /** For the desk of the hospital. */
  desk: {
    title: "A patient who lost an account",
    lead: "Guardians do this alone, until it was stopped once. From then on the desk must see the patient.",
    account: "Link or account of the patient's new device",
    hint: "The patient's page shows it under “Getting your account back”.",
    look: "Look",
    none: "Nothing waits for the desk. The guardians can do it alone, or have not begun.",
    checked: "I checked who this is, and compared the account with the screen of the patient",
    confirm: "Confirm for the hospital",
    done: "Confirmed.",
    doneNext: "It goes on as soon as all others have agreed. It cannot be stopped any more.",
    donePending: "The time of waiting has begun. It cannot be stopped any more.",
  },

  /** For guardians. */
  guard: {
    title: "Help somebody get their account back",
    list: "People who named you",
    listLead: "You see nothing of their records. When they lose their account, they send you a link.",
    nobody: "Nobody has named the account that you are signed in with.",
    nobodyNext:
      "If somebody wants to name you as a guardian, give them this account. If you were named with another account, sign in with that one.",
    mine: "Your account",
    copy: "Copy the account",
    warning: "Call them before you agree.",
    warningNext:
      "Anybody can send you a link like this, also a thief who says to be your friend. Call them on a number that you know, or meet them, and have them read out the account on their screen.",
    account: "The new account",
    forWhom: "For whom",
    notNamed: "You are their guardian, but they did not choose you for getting their account back.",
    same: "I spoke with them, and they read out exactly this account",
    agree: "See what you sign",
    sheet: "Agree to a new account",
    says: "I agree, as a guardian, that this patient's records move to this account:",
    sign: "I agree, sign",
    done: "You have agreed.",
    doneMore: (missing: number): string =>
      missing === 1 ? "One more guardian must agree." : `${missing} more guardians must agree.`,
    doneDesk: "Now they must go to the desk of the hospital, since it was stopped once before.",
    doneAccept: "Now they must take it on, on their own screen.",
    doneWaiting: (when: string): string =>
      `All have agreed. On ${when} the records move, unless the old account stops it.`,
    pending: (account: string, when: string): string => `Moving to ${account} on ${when}.`,
    begun: (agreed: number, needed: number, account: string): string =>
      `${agreed} of ${needed} guardians agree to the account ${account}.`,
    bad: "This is no link of an account. Ask them to send it again, whole.",
    link: "Their link, or their account",
    open: "Open it",
    own: "To my own pages",
    people: "People you guard",
  },
};
