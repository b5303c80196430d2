#!/usr/bin/env bash
# Keycloak takes secrets from its environment alone; here they come from files.
set -euo pipefail
export KC_DB_PASSWORD KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD ASSENT_PAGES_SECRET ASSENT_LAB_SECRET
KC_DB_PASSWORD=$(< /run/secrets/keycloak_db_password)
KC_BOOTSTRAP_ADMIN_PASSWORD=$(< /run/secrets/keycloak_admin_password)
ASSENT_PAGES_SECRET=$(< /run/secrets/keycloak_pages_secret)
ASSENT_LAB_SECRET=$(< /run/secrets/keycloak_lab_secret)
exec /opt/keycloak/bin/kc.sh start --import-realm
