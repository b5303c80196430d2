// Health check of the first member: makes the replica set, once, and tells whether it has a primary.
// Every write of the service waits for the majority and its journal. Not run in this project's tests.
const fs = require("fs");
db.getSiblingDB("admin").auth("assent", fs.readFileSync("/run/secrets/mongo_password", "utf8").trim());
const hosts = ["mongo-1:27017", "mongo-2:27017", "mongo-3:27017"];
try {
  rs.status();
} catch (unmade) {
  if (unmade.codeName !== "NotYetInitialized") throw unmade;
  rs.initiate({
    _id: "assent",
    writeConcernMajorityJournalDefault: true,
    members: hosts.map((host, number) => ({ _id: number, host, priority: number === 0 ? 2 : 1 })),
  });
}
if (!db.hello().isWritablePrimary && !db.hello().primary) quit(1);
