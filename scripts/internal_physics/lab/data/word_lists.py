"""The lists that natural biographies draw from: invented names of people, places, schools and companies.

Long lists are composed of stems and endings, so that every name is invented. Sizes are those of bioS (Allen-Zhu and Li
2024): 400 first, 400 middle and 1000 last names, 200 cities, 300 universities, 100 majors and 263 employers.
"""

from itertools import product

N_EMPLOYERS = 263
N_IN_LARGEST_CITY, N_EMPLOYER_CITIES = 36, 133  # as in bioS: 13.7 % of the employers are in one city

_FIRST = "Al Bel Cor Dar El Far Gal Hal Is Jor Kal Lor Mar Nor Or Pel Ros Sel Tam Ver"
_FIRST_ENDINGS = "a an ara as ea ella en era i ian ias ie in ina is on ona or us yn"
_MIDDLE = "Ad Bran Car Des Ed Fal Gar Hol Ing Jas Ken Lan Mel Nel Os Per Quil Rad Stan Tor"
_MIDDLE_ENDINGS = "alie alyn amir anna arah atha aven elia eline emma enna ette ild illa ison ora oline olf una wyn"
_LAST = (
    "Ash Alder Bar Beck Birch Bram Burn Carl Clay Cold Crow Dal Dun East Elm Fair Farn Glen Gold Green Hart Hazel "
    "Heath High Holm Horn Kirk Lang Lark Lin Long Mar Mead Mill Moor North Oak Old Peck Raven Red Rush Sand Shel "
    "Silver Stan Stone Thorn Wal Win"
)
_LAST_ENDINGS = (
    "bank berg bourne bridge brook bury by combe cott croft dale field ford gate ham hurst land ley stead ton"
)
_PLACES = (
    "Amber Anchor Aspen Bay Beacon Bell Blue Bridge Cedar Chapel Cinder Clear Copper Coral Crane Delta Ember Falcon "
    "Fern Flint Forest Garnet Granite Harbor Heron Iron Ivory Jade Juniper Lake Laurel Lantern Maple Marble Meadow "
    "Mesa Mint Orchard Otter Pearl Pine Prairie Quarry Quartz River Robin Saddle Sage Salt Shore Slate Spring Summit "
    "Swan Timber Tower Valley Vine Willow Wren"
)
_CITY_ENDINGS = "port ville haven mont crest"
_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA "
    "RI SC SD TN TX UT VT VA WA WV WI WY"
)
_SCHOOLS = ("University of {}", "{} College", "{} State University", "{} Institute of Technology", "{} School of Arts")
_COMPANIES = "Systems Foods Motors Textiles Energy Shipping Instruments Press"
_MAJORS = """Accounting
Acoustics|Actuarial Science|Agriculture|Anthropology|Applied Mathematics|Archaeology|Architecture
Art History|Astronomy|Atmospheric Science|Biochemistry|Bioinformatics|Biology|Biomedical Engineering|Botany
Business Administration|Cartography|Ceramics|Chemical Engineering|Chemistry|Chinese|Choreography|Civil Engineering
Classics|Cognitive Science|Communications|Comparative Literature|Computer Engineering|Computer Science|Criminology
Culinary Arts|Dance|Data Science|Demography|Drama|Ecology|Economics|Education|Electrical Engineering|English
Entomology|Environmental Science|Epidemiology|Ethics|Fashion Design|Film Studies|Finance|Fine Arts|Food Science
Forestry|French|Genetics|Geography|Geology|German|Graphic Design|Greek|Health Administration|History|Horticulture
Hospitality|Immunology|Industrial Design|Interior Design|International Relations|Italian|Japanese|Journalism|Latin
Law|Library Science|Linguistics|Logistics|Management|Marine Biology|Marketing|Materials Science|Mathematics
Mechanical Engineering|Medicine|Microbiology|Mineralogy|Music|Neuroscience|Nursing|Nutrition|Oceanography|Optics
Pharmacy|Philosophy|Photography|Physics
Political Science|Psychology|Public Health|Sociology|Spanish|Statistics|Zoology"""

_MONTHS = "January February March April May June July August September October November December"


def composed(stems: str, endings: str) -> tuple[str, ...]:
    """Every stem with every ending, stem by stem."""
    return tuple(stem + ending for stem, ending in product(stems.split(), endings.split()))


def months() -> tuple[str, ...]:
    """The twelve, in their order."""
    return tuple(_MONTHS.split())


def first_names() -> tuple[str, ...]:
    """400 invented first names."""
    return composed(_FIRST, _FIRST_ENDINGS)


def middle_names() -> tuple[str, ...]:
    """400 invented middle names."""
    return composed(_MIDDLE, _MIDDLE_ENDINGS)


def last_names() -> tuple[str, ...]:
    """1000 invented last names."""
    return composed(_LAST, _LAST_ENDINGS)


def cities() -> tuple[str, ...]:
    """200 invented cities with a state: "Amberport, AL"."""
    towns = composed(" ".join(_PLACES.split()[:40]), _CITY_ENDINGS)
    states = _STATES.split()
    return tuple(f"{town}, {states[number % len(states)]}" for number, town in enumerate(towns))


def universities() -> tuple[str, ...]:
    """300 invented universities."""
    return tuple(form.format(place) for place, form in product(_PLACES.split(), _SCHOOLS))


def majors() -> tuple[str, ...]:
    """100 majors."""
    return tuple(_MAJORS.replace("\n", "|").split("|"))


def employers() -> tuple[str, ...]:
    """263 invented companies."""
    return tuple(f"{place} {kind}" for place, kind in product(_PLACES.split()[-33:], _COMPANIES.split()))[:N_EMPLOYERS]


def employer_cities() -> tuple[int, ...]:
    """For each employer, the number of its city: the first 36 share one, the others are spread over 132."""
    others = range(N_EMPLOYERS - N_IN_LARGEST_CITY)
    return (0,) * N_IN_LARGEST_CITY + tuple(1 + number % (N_EMPLOYER_CITIES - 1) for number in others)
