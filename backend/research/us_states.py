"""United States: postal codes of states, their names, and the Census Bureau's divisions and regions.

Source: U.S. Census Bureau, Census Regions and Divisions of the United States. Territories, which it leaves
out, stand in one group of their own.
"""

from __future__ import annotations

_REGIONS: dict[str, dict[str, dict[str, str]]] = {
    "northeast": {
        "new_england": {
            "CT": "Connecticut", "ME": "Maine", "MA": "Massachusetts",
            "NH": "New Hampshire", "RI": "Rhode Island", "VT": "Vermont",
        },
        "middle_atlantic": {"NJ": "New Jersey", "NY": "New York", "PA": "Pennsylvania"},
    },
    "midwest": {
        "east_north_central": {
            "IL": "Illinois", "IN": "Indiana", "MI": "Michigan", "OH": "Ohio", "WI": "Wisconsin",
        },
        "west_north_central": {
            "IA": "Iowa", "KS": "Kansas", "MN": "Minnesota", "MO": "Missouri",
            "NE": "Nebraska", "ND": "North Dakota", "SD": "South Dakota",
        },
    },
    "south": {
        "south_atlantic": {
            "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
            "MD": "Maryland", "NC": "North Carolina", "SC": "South Carolina", "VA": "Virginia",
            "WV": "West Virginia",
        },
        "east_south_central": {"AL": "Alabama", "KY": "Kentucky", "MS": "Mississippi", "TN": "Tennessee"},
        "west_south_central": {"AR": "Arkansas", "LA": "Louisiana", "OK": "Oklahoma", "TX": "Texas"},
    },
    "west": {
        "mountain": {
            "AZ": "Arizona", "CO": "Colorado", "ID": "Idaho", "MT": "Montana",
            "NV": "Nevada", "NM": "New Mexico", "UT": "Utah", "WY": "Wyoming",
        },
        "pacific": {
            "AK": "Alaska", "CA": "California", "HI": "Hawaii", "OR": "Oregon", "WA": "Washington",
        },
    },
    "territories": {
        "islands": {
            "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands",
            "PR": "Puerto Rico", "VI": "Virgin Islands",
        },
    },
}  # fmt: skip

# (state, division, region, '*'), in the order above
STATE_LINES = tuple(
    (code, division, region, "*")
    for region, divisions in _REGIONS.items()
    for division, states in divisions.items()
    for code in states
)
STATE_CODES = tuple(line[0] for line in STATE_LINES)
CODE_BY_NAME = {
    name.casefold(): code
    for divisions in _REGIONS.values()
    for states in divisions.values()
    for code, name in states.items()
}
