"""Which releases went out over whom, so that no two together say more than each alone promised."""
