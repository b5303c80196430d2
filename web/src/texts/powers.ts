/** Texts of whoever may act for a patient: delegates, guardians, further devices. */
const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

export const powers = {
  names: {
    grant: "answer requests",
    revoke: "stop permissions",
    read: "look at the records",
    delegate: "pass these powers on",
  },
  may: (words: string): string => `may ${words}`,
  until: (day: string): string => `until ${day}`,
  account: "Account",
  end: "It ends on",
  signed: "The words you sign",
  sign: "Sign",
  accountHint: "It begins with 0x. Whoever it is finds it on their page after signing in.",
  accountMissing: "This is no account: 0x and 40 letters and digits are needed.",
  nameMissing: "Say who or what it is.",
  accountOwn: "This is the account that you are signed in with.",
  onlySelf:
    "Only the account that controls the records gives powers and takes them back. You see here what was given.",

  people: {
    title: "Who acts for you",
    lead: "People who may act in your place. What they do is written down, under their name.",
    now: "Now",
    nobody: "Nobody acts for you.",
    before: "Before",
    guardian: "Guardian",
    delegate: "Power of attorney",
    guardians:
      "Guardians are named by the desk of the hospital, which saw the papers; the desk also ends a guardianship.",
    stopTitle: (name: string): string => `Take the power back from ${name}?`,
    stopLead:
      "From the moment you sign, this person can do nothing in your place. What they did before stands.",
    give: "Give somebody a power",
    giveLead:
      "It holds until the day that you choose, and you can take it back at any time. It never lets anybody give more than you allow here.",
    name: "Who it is",
    nameHint: "Their name, and what they are to you: Anna Weber, my sister.",
    mayDo: "What they may do",
    purposes: "What for",
    groups: {
      own: "looking at the records for me",
      care: "treatment and care",
      payment: "insurance and bills",
      research: "research",
      other: "everything else",
    },
    categories: "Kinds of data",
    sensitivities: "Specially protected data",
    chosen: (count: number, of: number): string => `${count} of ${of}`,
    all: "All",
    none: "None",
    nothing: "Leave at least one power, one purpose and one kind of data switched on.",
    next: "See what you sign",
    given: "The power is given.",
    givenNext: "They find you under “Acting for” when they sign in with this account.",
  },

  guardianship: {
    title: "End a guardianship",
    lead: "When a court says so, or a child is of age. It counts at once, and the patient's list shows it.",
    id: "Id of the guardianship",
    hint: "The guardian's page shows it: More, Who acts for you, the guardianship, Id.",
    end: "End it",
    ended: "The guardianship has ended.",
    endedNext: "Nothing is shown to the guardian any more.",
  },

  devices: {
    title: "Your devices",
    you: (name: string): string => `myself, with “${name}”`,
    lead: "Each device has an account of its own, with the same sight of your records. So a lost phone locks nobody out.",
    here: "This device",
    isFirst: "It controls your records: it adds and removes devices, and stops everything at once.",
    isFurther: (name: string): string =>
      `You named it “${name}”. It may answer requests, stop permissions and look at your records.`,
    others: "Further devices",
    none: "There is no other device yet. Add one while you have this one.",
    count: (count: number): string => plural(count, "further device", "further devices"),
    remove: "Remove",
    removeTitle: (name: string): string => `Remove ${name}?`,
    removeLead: "From the moment you sign, this device can do nothing any more. What it did before stands.",
    before: "Removed",
    add: "Add a device",
    addLead:
      "Open this page on the other device, sign in there, and choose “This is another device of mine”. It shows its account, and a link that fills in the account here.",
    compare:
      "Does the other device, in your own hand, show exactly this account? If somebody sent you the link, stop: whoever has that account would decide in your place.",
    same: "Yes, my other device shows this account",
    name: "What you call it",
    nameHint: "As you know it: my laptop, the tablet in the kitchen.",
    added: "The device is added.",
    addedNext: "It opens your records by itself within a few seconds.",
    lost: "If a device is lost",
    lostPoints: [
      "A further device that is lost is removed here, on the device that controls your records.",
      "The device that controls your records cannot be removed. If that one is lost, the others go on: they answer, stop and look. Stop what must stop from one of them, or everything with your stop on paper, and tell the desk of your hospital.",
      "Stopping everything at once removes all further devices too. Add them again afterwards.",
    ],
    another: "This is another device of mine",
    anotherLead:
      "You are enrolled already, with another device. Do not use a new code: let that device add this one.",
    show: "Show this device's account",
    showNext:
      "On the other device open More, then Your devices, then Add a device, and type or paste this account:",
    link: "Or open this link on the other device; its camera can read it:",
    code: "The link of this device, for a camera",
    copy: "Copy the account",
    copyLink: "Copy the link",
    copied: "Copied",
    waiting: "Waiting until the other device adds this one …",
  },
};
