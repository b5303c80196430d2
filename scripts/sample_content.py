"""What the sample patients can have: names, problems, measurements. Invented; codes are of public systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX: Final = "http://hl7.org/fhir/sid/cvx"
UCUM: Final = "http://unitsofmeasure.org"
HL7: Final = "http://terminology.hl7.org/CodeSystem/"

FEMALE_NAMES: Final = (
    "Amara",
    "Beatriz",
    "Chiyo",
    "Dagny",
    "Elif",
    "Farida",
    "Greta",
    "Hana",
    "Ines",
    "Jolanta",
)
MALE_NAMES: Final = (
    "Anders",
    "Bilal",
    "Carlo",
    "Dmitri",
    "Emeka",
    "Florian",
    "Goran",
    "Henrik",
    "Ivo",
    "Jorge",
)
FAMILY_NAMES: Final = (
    *("Abelmann", "Brightwater", "Castellane", "Dornfeld", "Eastmoor", "Fairholm", "Greystone", "Hollowell"),
    *("Inverarity", "Jasperson", "Kestrelby", "Larkspur", "Merriwold", "Northgate", "Oakenfeld", "Penhallow"),
)
STREETS: Final = ("Mill Lane", "Harbour Road", "Orchard Street", "Station Square", "Linden Way")
CITIES: Final = ("Eastbrook", "Nordhaven", "Millfield", "Saint Alwyn")


@dataclass(frozen=True)
class Measure:
    """A LOINC quantity: UCUM unit, decimals written, healthy range, and how far sick values reach."""

    code: str
    name: str
    unit: str
    decimals: int
    low: float
    high: float
    sick: tuple[float, float] | None = None
    category: str = "laboratory"


@dataclass(frozen=True)
class Problem:
    """A SNOMED condition with what comes with it. ``ages``: first and last year of life it can begin in."""

    code: str
    name: str
    ages: tuple[int, int]
    note: str
    medications: tuple[tuple[str, str], ...] = ()
    measures: tuple[Measure, ...] = ()
    sex: str | None = None


VITALS: Final = (
    Measure("8480-6", "Systolic blood pressure", "mm[Hg]", 0, 95, 130, (138, 168), "vital-signs"),
    Measure("8462-4", "Diastolic blood pressure", "mm[Hg]", 0, 60, 84, (86, 104), "vital-signs"),
    Measure("8867-4", "Heart rate", "/min", 0, 58, 95, None, "vital-signs"),
    Measure("9279-1", "Respiratory rate", "/min", 0, 12, 20, None, "vital-signs"),
    Measure("8310-5", "Body temperature", "Cel", 1, 36.2, 37.3, None, "vital-signs"),
    Measure("59408-5", "Oxygen saturation by pulse oximetry", "%", 0, 95, 100, None, "vital-signs"),
)
HBA1C: Final = Measure("4548-4", "Hemoglobin A1c", "%", 1, 4.5, 5.6, (6.6, 9.8))
LDL: Final = Measure("13457-7", "LDL cholesterol", "mg/dL", 0, 60, 129, (150, 210))
BASIC_PANEL: Final = (
    Measure("2345-7", "Glucose", "mg/dL", 0, 70, 99, (128, 210)),
    Measure("2160-0", "Creatinine", "mg/dL", 2, 0.6, 1.2),
    Measure("2951-2", "Sodium", "mmol/L", 0, 136, 144),
    Measure("2823-3", "Potassium", "mmol/L", 1, 3.6, 5.0),
    Measure("17861-6", "Calcium", "mg/dL", 1, 8.6, 10.2),
    Measure("3094-0", "Urea nitrogen", "mg/dL", 0, 7, 20),
)
BLOOD_COUNT: Final = (
    Measure("718-7", "Hemoglobin", "g/dL", 1, 12.1, 16.6),
    Measure("6690-2", "Leukocytes", "10*3/uL", 1, 4.2, 10.8),
    Measure("777-3", "Platelets", "10*3/uL", 0, 155, 380),
    Measure("787-2", "MCV", "fL", 1, 81.0, 98.0),
)

ORDINARY: Final = (
    Problem(
        "59621000",
        "Essential hypertension",
        (34, 80),
        "Blood pressure reviewed; dose unchanged.",
        (("314076", "lisinopril 10 MG Oral Tablet"),),
    ),
    Problem(
        "44054006",
        "Type 2 diabetes mellitus",
        (36, 80),
        "Diet and home readings discussed.",
        (("860975", "metformin hydrochloride 500 MG Extended Release Oral Tablet"),),
        (HBA1C,),
    ),
    Problem(
        "195967001",
        "Asthma",
        (4, 50),
        "Inhaler technique checked.",
        (("745679", "albuterol 0.09 MG/ACTUAT inhaler"),),
    ),
    Problem(
        "55822004",
        "Hyperlipidemia",
        (35, 75),
        "Repeat lipids in a year.",
        (("617310", "atorvastatin 20 MG Oral Tablet"),),
        (LDL,),
    ),
    Problem(
        "239873007",
        "Osteoarthritis of knee",
        (45, 85),
        "Knee pain on stairs.",
        (("310965", "ibuprofen 200 MG Oral Tablet"),),
    ),
    Problem(
        "10509002",
        "Acute bronchitis",
        (2, 90),
        "Cough for nine days, chest clear.",
        (("313782", "acetaminophen 325 MG Oral Tablet"),),
    ),
    Problem(
        "65363002",
        "Otitis media",
        (1, 14),
        "Ear pain since yesterday.",
        (("308182", "amoxicillin 250 MG Oral Capsule"),),
    ),
    Problem("44465007", "Sprain of ankle", (8, 60), "Ankle swollen, no fracture seen."),
)

SENSITIVE: Final = (
    Problem(
        "370143000",
        "Major depressive disorder",
        (12, 80),
        "Mood low for six weeks; depression care plan agreed.",
        (("312941", "sertraline 50 MG Oral Tablet"),),
        (Measure("44261-6", "PHQ-9 total score", "{score}", 0, 0, 4, (11, 23), "survey"),),
    ),
    Problem(
        "86406008",
        "Human immunodeficiency virus infection",
        (20, 65),
        "HIV follow-up, adherence good.",
        (("1433868", "dolutegravir"),),
        (Measure("20447-9", "HIV 1 RNA viral load", "{copies}/mL", 0, 0, 49, (20, 5200)),),
    ),
    Problem(
        "66590003",
        "Alcohol dependence",
        (22, 70),
        "Alcohol use discussed; wishes to stop.",
        (("7243", "naltrexone"),),
        (Measure("75624-7", "AUDIT total score", "{score}", 0, 0, 7, (16, 34), "survey"),),
    ),
    Problem(
        "706893006",
        "Victim of intimate partner abuse",
        (18, 70),
        "Domestic violence disclosed; safety plan made.",
        (),
        (Measure("76504-0", "HARK total score", "{score}", 0, 0, 0, (1, 4), "survey"),),
    ),
    Problem(
        "72892002",
        "Normal pregnancy",
        (20, 40),
        "Prenatal visit, all well.",
        (),
        (Measure("19080-1", "Choriogonadotropin", "[IU]/L", 0, 0, 5, (18000, 96000)),),
        "female",
    ),
    Problem(
        "75544000",
        "Opioid dependence",
        (20, 60),
        "Opioid treatment programme, stable.",
        (("1819", "buprenorphine"),),
    ),
    Problem(
        "58214004",
        "Schizophrenia",
        (18, 60),
        "Psychiatry review, no hallucinations.",
        (("35636", "risperidone"),),
    ),
    Problem(
        "76272004",
        "Syphilis",
        (18, 60),
        "Treated for syphilis, contacts told.",
        (("834061", "penicillin V potassium 250 MG Oral Tablet"),),
    ),
)

ALLERGIES: Final = (
    ("91936005", "Allergy to penicillin"),
    ("91935009", "Allergy to peanuts"),
    ("418689008", "Allergy to grass pollen"),
    ("300916003", "Latex allergy"),
)
PROCEDURES: Final = (
    ("29303009", "Electrocardiogram"),
    ("399208008", "Chest X-ray"),
    ("127783003", "Spirometry"),
    ("73761001", "Colonoscopy"),
)
CHILD_VACCINES: Final = (("03", "MMR"), ("20", "DTaP"), ("10", "IPV"), ("21", "varicella"))
ADULT_VACCINES: Final = (("140", "Influenza, seasonal, injectable, preservative free"), ("113", "Td (adult)"))
