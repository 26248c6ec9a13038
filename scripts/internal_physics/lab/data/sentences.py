"""The sentences of natural biographies: for each attribute 25 ways to lead to the value, with two ways to end."""

_TAILS = ("", ", as the register says")
_LEADS = {
    "birth_date": """was born on|came into the world on|entered the world on|has a birthday that goes back to
first saw the light of day on|took a first breath on|began life on|arrived in this world on|was brought into life on
celebrates the day of birth on|was welcomed into a family on|owes every birthday party to|was delivered on
became part of a family on|counts the years since|started the journey of life on|was given life on|joined the world on
marks another year of life on|dates the beginning of life to|was a newborn on|made a first appearance on
has lived since|was placed in a cradle on|cried for the first time on""",
    "birth_city": """was born in|spent the early years in|grew up from birth in|comes from|is a native of|hails from
has roots in|first lived in|was raised from the first day in|began life in the town of|opened both eyes first in
calls as place of birth|took the first steps in|originated from|was brought up from birth in|learned to walk in
has family ties to|was a child of|started out in|was welcomed by neighbours in|has a birth certificate from
remembers a childhood in|owes the first memories to|was a baby in|spent the first weeks of life in""",
    "university": """studied at|graduated from|attended|earned a degree at|was a student at|received an education at
took courses at|completed a degree at|was taught by the faculty of|enrolled at|spent the student years at
obtained a diploma from|did all coursework at|is an alumnus of|heard lectures at|passed the final exams at
was trained at|got an academic start at|was admitted to|learned the trade at|found good teachers at
wrote a thesis at|sat in the classrooms of|benefited from the mentors of|pursued higher education at""",
    "major": """majored in|studied the field of|focused on|specialised in|earned a degree in|took a deep interest in
completed a programme in|concentrated on|devoted the student years to|wrote a thesis in|was trained in
chose as major subject|explored the theory of|gained expertise in|passed the final exams in|took most courses in
read widely in|built a foundation in|pursued advanced coursework in|received instruction in|was taught the basics of
had a passion for|obtained a diploma in|graduated with honours in|put every effort into""",
    "employer": """worked for|was employed by|had a job at|built a career at|served on the staff of|joined the team of
held a position at|earned a living at|took up a role at|contributed to the success of|was on the payroll of
spent the working years at|was hired by|found work at|accepted an offer from|developed professionally at
signed a contract with|had a desk at|was a colleague of many at|gained experience at|held a professional role at
was promoted at|gave years of service to|was engaged by|carried out projects at""",
    "employer_city": """worked in|was employed in|had an office in|earned a living in|went to work each day in
built a career in|held a job in|spent the working years in|carried out all duties in|was on duty in
took up a position in|had a workplace in|practised the profession in|commuted to an office in|was stationed in
did business in|met colleagues in|followed a career in|was professionally active in|signed in every morning in
found employment in|held meetings in|had a professional base in|attended to work in|kept office hours in""",
}


def templates() -> dict[str, tuple[tuple[str, str], ...]]:
    """Attribute -> its 50 templates; each is what stands between subject and value, and what follows the value."""
    leads = {name: text.replace("\n", "|").split("|") for name, text in _LEADS.items()}
    return {name: tuple((lead, tail) for tail in _TAILS for lead in given) for name, given in leads.items()}
