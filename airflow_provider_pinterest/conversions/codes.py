"""Code lists that canonicalisation needs: countries, US states, currencies.

Facts only (ISO 3166-1, USPS, ISO 4217), kept as text tables so that a change is a change of one line.
Country names are English: those in everyday use, ISO's short names, and the official ones. Countries that buy most
online also have their own names, and those of large neighbours. A name that two countries share is left out. A line
that begins with ``|`` continues the one before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_COUNTRIES = """
AD AND 020 Andorra|Principality of Andorra
AE ARE 784 United Arab Emirates|UAE|Emirates
AF AFG 004 Afghanistan|Islamic Republic of Afghanistan
AG ATG 028 Antigua and Barbuda
AI AIA 660 Anguilla
AL ALB 008 Albania|Republic of Albania
AM ARM 051 Armenia|Republic of Armenia
AO AGO 024 Angola|Republic of Angola
AQ ATA 010 Antarctica
AR ARG 032 Argentina|Argentine Republic
AS ASM 016 American Samoa
AT AUT 040 Austria|Republic of Austria
AU AUS 036 Australia
AW ABW 533 Aruba
AX ALA 248 Åland Islands|Aland
AZ AZE 031 Azerbaijan|Republic of Azerbaijan
BA BIH 070 Bosnia and Herzegovina|Republic of Bosnia and Herzegovina|Bosnia
BB BRB 052 Barbados
BD BGD 050 Bangladesh|People's Republic of Bangladesh
BE BEL 056 Belgium|Kingdom of Belgium
BF BFA 854 Burkina Faso
BG BGR 100 Bulgaria|Republic of Bulgaria
BH BHR 048 Bahrain|Kingdom of Bahrain
BI BDI 108 Burundi|Republic of Burundi
BJ BEN 204 Benin|Republic of Benin
BL BLM 652 Saint Barthélemy
BM BMU 060 Bermuda
BN BRN 096 Brunei Darussalam|Brunei
BO BOL 068 Bolivia|Bolivia, Plurinational State of|Plurinational State of Bolivia
BQ BES 535 Bonaire, Sint Eustatius and Saba|Caribbean Netherlands|Bonaire
BR BRA 076 Brazil|Federative Republic of Brazil
BS BHS 044 Bahamas|Commonwealth of the Bahamas|The Bahamas
BT BTN 064 Bhutan|Kingdom of Bhutan
BV BVT 074 Bouvet Island
BW BWA 072 Botswana|Republic of Botswana
BY BLR 112 Belarus|Republic of Belarus
BZ BLZ 084 Belize
CA CAN 124 Canada
CC CCK 166 Cocos (Keeling) Islands|Cocos Islands|Keeling Islands
CD COD 180 Democratic Republic of the Congo|Congo (DRC)|Congo (DR)|Congo, The Democratic Republic of the|DR Congo|DRC
  |D.R.C.|Congo (Kinshasa)|Congo, Dem. Rep.|Dem. Rep. Congo|Zaire
CF CAF 140 Central African Republic
CG COG 178 Congo|Republic of the Congo|Congo (Brazzaville)|Congo, Rep.|Congo Republic
CH CHE 756 Switzerland|Swiss Confederation
CI CIV 384 Côte d'Ivoire|Ivory Coast|Republic of Côte d'Ivoire
CK COK 184 Cook Islands
CL CHL 152 Chile|Republic of Chile
CM CMR 120 Cameroon|Republic of Cameroon
CN CHN 156 China|People's Republic of China|PRC|Mainland China|P.R. China
CO COL 170 Colombia|Republic of Colombia
CR CRI 188 Costa Rica|Republic of Costa Rica
CU CUB 192 Cuba|Republic of Cuba
CV CPV 132 Cabo Verde|Cape Verde|Republic of Cabo Verde
CW CUW 531 Curaçao
CX CXR 162 Christmas Island
CY CYP 196 Cyprus|Republic of Cyprus
CZ CZE 203 Czechia|Czech Republic
DE DEU 276 Germany|Federal Republic of Germany
DJ DJI 262 Djibouti|Republic of Djibouti
DK DNK 208 Denmark|Kingdom of Denmark
DM DMA 212 Dominica|Commonwealth of Dominica
DO DOM 214 Dominican Republic
DZ DZA 012 Algeria|People's Democratic Republic of Algeria
EC ECU 218 Ecuador|Republic of Ecuador
EE EST 233 Estonia|Republic of Estonia
EG EGY 818 Egypt|Arab Republic of Egypt
EH ESH 732 Western Sahara
ER ERI 232 Eritrea|the State of Eritrea
ES ESP 724 Spain|Kingdom of Spain
ET ETH 231 Ethiopia|Federal Democratic Republic of Ethiopia
FI FIN 246 Finland|Republic of Finland
FJ FJI 242 Fiji|Republic of Fiji
FK FLK 238 Falkland Islands (Malvinas)|Falkland Islands|Islas Malvinas
FM FSM 583 Micronesia|Micronesia, Federated States of|Federated States of Micronesia
FO FRO 234 Faroe Islands
FR FRA 250 France|French Republic
GA GAB 266 Gabon|Gabonese Republic
GB GBR 826 United Kingdom|Great Britain|UK|England|Scotland|Wales|Northern Ireland
  |United Kingdom of Great Britain and Northern Ireland|Britain|Great Britain and Northern Ireland
GD GRD 308 Grenada
GE GEO 268 Georgia
GF GUF 254 French Guiana
GG GGY 831 Guernsey
GH GHA 288 Ghana|Republic of Ghana
GI GIB 292 Gibraltar
GL GRL 304 Greenland
GM GMB 270 Gambia|Republic of the Gambia|The Gambia
GN GIN 324 Guinea|Republic of Guinea
GP GLP 312 Guadeloupe
GQ GNQ 226 Equatorial Guinea|Republic of Equatorial Guinea
GR GRC 300 Greece|EL|Hellenic Republic
GS SGS 239 South Georgia and the South Sandwich Islands|South Georgia/Sandwich Islands
GT GTM 320 Guatemala|Republic of Guatemala
GU GUM 316 Guam
GW GNB 624 Guinea-Bissau|Republic of Guinea-Bissau
GY GUY 328 Guyana|Republic of Guyana
HK HKG 344 Hong Kong|Hong Kong, China|Hong Kong SAR, PRC|Hong Kong SAR
  |Hong Kong Special Administrative Region of China|Hong Kong SAR China|Hong Kong S.A.R.
HM HMD 334 Heard Island and McDonald Islands
HN HND 340 Honduras|Republic of Honduras
HR HRV 191 Croatia|Republic of Croatia
HT HTI 332 Haiti|Republic of Haiti
HU HUN 348 Hungary
ID IDN 360 Indonesia|Republic of Indonesia
IE IRL 372 Ireland|Republic of Ireland|Eire
IL ISR 376 Israel|State of Israel
IM IMN 833 Isle of Man
IN IND 356 India|Republic of India
IO IOT 086 British Indian Ocean Territory
IQ IRQ 368 Iraq|Republic of Iraq
IR IRN 364 Iran|Iran, Islamic Republic of|Islamic Republic of Iran
IS ISL 352 Iceland|Republic of Iceland
IT ITA 380 Italy|Italian Republic
JE JEY 832 Jersey
JM JAM 388 Jamaica
JO JOR 400 Jordan|Hashemite Kingdom of Jordan
JP JPN 392 Japan
KE KEN 404 Kenya|Republic of Kenya
KG KGZ 417 Kyrgyzstan|Kyrgyz Republic
KH KHM 116 Cambodia|Kingdom of Cambodia
KI KIR 296 Kiribati|Republic of Kiribati
KM COM 174 Comoros|Union of the Comoros
KN KNA 659 Saint Kitts and Nevis
KP PRK 408 North Korea|Korea, Democratic People's Republic of|Democratic People's Republic of Korea|Korea, North|DPRK
  |N. Korea|D.P.R. Korea|Korea, Dem. People's Rep.
KR KOR 410 South Korea|Korea|Korea, Republic of|Korea, South|ROK|S. Korea|Korea, Rep.|Republic of Korea
KW KWT 414 Kuwait|State of Kuwait
KY CYM 136 Cayman Islands
KZ KAZ 398 Kazakhstan|Republic of Kazakhstan
LA LAO 418 Laos|Lao People's Democratic Republic|Lao PDR
LB LBN 422 Lebanon|Lebanese Republic
LC LCA 662 Saint Lucia
LI LIE 438 Liechtenstein|Principality of Liechtenstein
LK LKA 144 Sri Lanka|Democratic Socialist Republic of Sri Lanka
LR LBR 430 Liberia|Republic of Liberia
LS LSO 426 Lesotho|Kingdom of Lesotho
LT LTU 440 Lithuania|Republic of Lithuania
LU LUX 442 Luxembourg|Grand Duchy of Luxembourg
LV LVA 428 Latvia|Republic of Latvia
LY LBY 434 Libya|Libyan Arab Jamahiriya
MA MAR 504 Morocco|Kingdom of Morocco
MC MCO 492 Monaco|Principality of Monaco
MD MDA 498 Moldova|Moldova, Republic of|Republic of Moldova
ME MNE 499 Montenegro
MF MAF 663 Saint Martin (French part)|Saint Martin|St. Martin
MG MDG 450 Madagascar|Republic of Madagascar
MH MHL 584 Marshall Islands|Republic of the Marshall Islands
MK MKD 807 North Macedonia|Macedonia|Republic of North Macedonia|Macedonia, the former Yugoslav Republic of|FYROM
ML MLI 466 Mali|Republic of Mali
MM MMR 104 Myanmar|Burma|Republic of Myanmar|Republic of the Union of Myanmar
MN MNG 496 Mongolia
MO MAC 446 Macao|Macao, China|Macau, China|Macau|Macao Special Administrative Region of China|Macao SAR China
  |Macau SAR China|Macao SAR|Macau SAR
MP MNP 580 Northern Mariana Islands|Commonwealth of the Northern Mariana Islands
MQ MTQ 474 Martinique
MR MRT 478 Mauritania|Islamic Republic of Mauritania
MS MSR 500 Montserrat
MT MLT 470 Malta|Republic of Malta
MU MUS 480 Mauritius|Republic of Mauritius
MV MDV 462 Maldives|Republic of Maldives
MW MWI 454 Malawi|Republic of Malawi
MX MEX 484 Mexico|United Mexican States
MY MYS 458 Malaysia
MZ MOZ 508 Mozambique|Republic of Mozambique
NA NAM 516 Namibia|Republic of Namibia
NC NCL 540 New Caledonia
NE NER 562 Niger|Republic of the Niger
NF NFK 574 Norfolk Island
NG NGA 566 Nigeria|Federal Republic of Nigeria
NI NIC 558 Nicaragua|Republic of Nicaragua
NL NLD 528 Netherlands|Holland|The Netherlands|Kingdom of the Netherlands
NO NOR 578 Norway|Kingdom of Norway
NP NPL 524 Nepal|Federal Democratic Republic of Nepal
NR NRU 520 Nauru|Republic of Nauru
NU NIU 570 Niue
NZ NZL 554 New Zealand
OM OMN 512 Oman|Sultanate of Oman
PA PAN 591 Panama|Republic of Panama
PE PER 604 Peru|Republic of Peru
PF PYF 258 French Polynesia
PG PNG 598 Papua New Guinea|Independent State of Papua New Guinea
PH PHL 608 Philippines|Republic of the Philippines
PK PAK 586 Pakistan|Islamic Republic of Pakistan
PL POL 616 Poland|Republic of Poland
PM SPM 666 Saint Pierre and Miquelon
PN PCN 612 Pitcairn
PR PRI 630 Puerto Rico
PS PSE 275 Palestine|Palestine, State of|the State of Palestine|Palestinian Territories
  |Palestinian Territory, Occupied|Palestinian Territory|Palestinian Authority
PT PRT 620 Portugal|Portuguese Republic
PW PLW 585 Palau|Republic of Palau
PY PRY 600 Paraguay|Republic of Paraguay
QA QAT 634 Qatar|State of Qatar
RE REU 638 Réunion|Reunion Island
RO ROU 642 Romania
RS SRB 688 Serbia|Republic of Serbia
RU RUS 643 Russian Federation|Russia
RW RWA 646 Rwanda|Rwandese Republic
SA SAU 682 Saudi Arabia|Kingdom of Saudi Arabia
SB SLB 090 Solomon Islands
SC SYC 690 Seychelles|Republic of Seychelles
SD SDN 729 Sudan|Republic of the Sudan
SE SWE 752 Sweden|Kingdom of Sweden
SG SGP 702 Singapore|Republic of Singapore
SH SHN 654 Saint Helena, Ascension and Tristan da Cunha|Saint Helena|Ascension Island|Tristan da Cunha
SI SVN 705 Slovenia|Republic of Slovenia
SJ SJM 744 Svalbard and Jan Mayen|Svalbard
SK SVK 703 Slovakia|Slovak Republic
SL SLE 694 Sierra Leone|Republic of Sierra Leone
SM SMR 674 San Marino|Republic of San Marino
SN SEN 686 Senegal|Republic of Senegal
SO SOM 706 Somalia|Federal Republic of Somalia
SR SUR 740 Suriname|Republic of Suriname
SS SSD 728 South Sudan|Republic of South Sudan
ST STP 678 Sao Tome and Principe|Democratic Republic of Sao Tome and Principe|São Tomé
SV SLV 222 El Salvador|Republic of El Salvador
SX SXM 534 Sint Maarten (Dutch part)|Sint Maarten
SY SYR 760 Syria|Syrian Arab Republic
SZ SWZ 748 Eswatini|Swaziland|Kingdom of Eswatini
TC TCA 796 Turks and Caicos Islands|Turks & Caicos
TD TCD 148 Chad|Republic of Chad
TF ATF 260 French Southern Territories|French Southern and Antarctic Lands
TG TGO 768 Togo|Togolese Republic
TH THA 764 Thailand|Kingdom of Thailand
TJ TJK 762 Tajikistan|Republic of Tajikistan
TK TKL 772 Tokelau
TL TLS 626 Timor-Leste|East Timor|Democratic Republic of Timor-Leste
TM TKM 795 Turkmenistan
TN TUN 788 Tunisia|Republic of Tunisia
TO TON 776 Tonga|Kingdom of Tonga
TR TUR 792 Türkiye|Turkey|Republic of Türkiye|Republic of Turkey
TT TTO 780 Trinidad and Tobago|Trinidad|Republic of Trinidad and Tobago
TV TUV 798 Tuvalu
TW TWN 158 Taiwan|Taiwan, Province of China|Republic of China|Chinese Taipei
TZ TZA 834 Tanzania|Tanzania, United Republic of|United Republic of Tanzania
UA UKR 804 Ukraine
UG UGA 800 Uganda|Republic of Uganda
UM UMI 581 United States Minor Outlying Islands|U.S. Outlying Islands|US Minor Outlying Islands
US USA 840 United States|United States of America|U.S.|U.S.A.|America|United States (the)|US of A
UY URY 858 Uruguay|Eastern Republic of Uruguay
UZ UZB 860 Uzbekistan|Republic of Uzbekistan
VA VAT 336 Holy See (Vatican City State)|Vatican City|Holy See|Vatican City State|Vatican
VC VCT 670 Saint Vincent and the Grenadines
VE VEN 862 Venezuela|Venezuela, Bolivarian Republic of|Bolivarian Republic of Venezuela
VG VGB 092 British Virgin Islands|Virgin Islands, British|Virgin Islands (British)|Virgin Islands (UK)
VI VIR 850 U.S. Virgin Islands|Virgin Islands, U.S.|Virgin Islands of the United States|Virgin Islands (U.S.)
  |Virgin Islands (US)|United States Virgin Islands
VN VNM 704 Vietnam|Viet Nam|Socialist Republic of Viet Nam
VU VUT 548 Vanuatu|Republic of Vanuatu
WF WLF 876 Wallis and Futuna|Wallis & Futuna
WS WSM 882 Samoa|Independent State of Samoa
YE YEM 887 Yemen|Republic of Yemen
YT MYT 175 Mayotte
ZA ZAF 710 South Africa|Republic of South Africa
ZM ZMB 894 Zambia|Republic of Zambia
ZW ZWE 716 Zimbabwe|Republic of Zimbabwe
"""

_OWN_NAMES = """
AE Vereinigte Arabische Emirate|Émirats arabes unis|Emiratos Árabes Unidos|الإمارات|الإمارات العربية المتحدة
AR Argentinien|Argentine
AT Österreich|Oesterreich|Autriche|Oostenrijk|Republik Österreich
AU Australien|Australie
BE België|Belgique|Belgien|Bélgica|Belgio
BG България|Bulgarien|Bulgarie
BR Brasil|Brasilien|Brésil|Brasile
CA Canadá|Kanada
CH Schweiz|Suisse|Svizzera|Svizra|Suiza|Suíça|Zwitserland|Schweizerische Eidgenossenschaft
CL Chili
CN 中国|中國|中华人民共和国|Chine
CO Kolumbien|Colombie
CZ Česko|Česká republika|Tschechien|Tschechische Republik|République tchèque|Tchéquie
DE Deutschland|Allemagne|Alemania|Alemanha|Germania|Duitsland|Niemcy|Tyskland|Bundesrepublik Deutschland|BRD
DK Danmark|Dänemark|Danemark|Dinamarca|Danimarca
EE Eesti|Estland
EG مصر|Ägypten|Égypte|Egipto
ES España|Espanha|Spanien|Espagne|Spagna|Spanje|Hiszpania
FI Suomi|Finnland|Finlande|Finlandia
FR Frankreich|Francia|França|Frankrijk|Francja|Frankrike|Frankrig|République française
GB Großbritannien|Grossbritannien|Vereinigtes Königreich|Royaume-Uni|Grande-Bretagne|Reino Unido|Gran Bretaña
  |Regno Unito|Verenigd Koninkrijk|Wielka Brytania|Storbritannien
GR Ελλάδα|Ελλάς|Hellas|Griechenland|Grèce|Grecia|Grécia
HR Hrvatska|Kroatien|Croatie|Croacia|Croazia
HU Magyarország|Ungarn|Hongrie|Hungría|Ungheria
IE Irland|Irlande|Irlanda
IL ישראל|Israël
IN भारत|Bharat|Indien|Inde
IS Ísland|Island
IT Italia|Italien|Italie|Itália|Italië|Włochy
JP 日本|日本国|Japon|Japón|Giappone|Japão
KR 대한민국|한국|韓国|Südkorea|Corée du Sud|Corea del Sur
LT Lietuva|Litauen|Lituanie
LU Lëtzebuerg|Luxemburg|Luxemburgo|Lussemburgo
LV Latvija|Lettland|Lettonie
MA المغرب|Marokko|Maroc|Marruecos
MX México|Mexiko|Mexique|Messico
NL Nederland|Niederlande|Pays-Bas|Países Bajos|Países Baixos|Paesi Bassi|Holanda|Olanda|Holandia
NO Norge|Noreg|Norwegen|Norvège|Noruega|Norvegia
NZ Neuseeland|Nouvelle-Zélande|Nueva Zelanda|Nova Zelândia
PL Polska|Polen|Pologne|Polonia|Polônia|Polónia
PT Portogallo
RO România|Rumänien|Roumanie|Rumania
RS Србија|Srbija|Serbien
RU Россия|Российская Федерация|Russland|Rußland|Russie|Rusia|Rosja
SA السعودية|المملكة العربية السعودية|Saudi-Arabien|Arabie saoudite|Arabia Saudita|Arabia Saudí
SE Sverige|Schweden|Suède|Suecia|Suécia|Svezia|Zweden|Szwecja
SI Slovenija|Slowenien|Slovénie
SK Slovensko|Slowakei|Slovaquie
TH ประเทศไทย|ไทย
TR Türkei|Turquie|Turquía|Turchia|Turquia
TW 台灣|台湾
UA Україна|Украина|Ukraina|Ucrania
US Vereinigte Staaten|Vereinigte Staaten von Amerika|États-Unis|États-Unis d'Amérique|Estados Unidos|EE. UU.|EE.UU.
  |Estados Unidos de América|Estados Unidos da América|Stati Uniti|Stati Uniti d'America|Verenigde Staten
  |Stany Zjednoczone|Förenta staterna|EUA|США|アメリカ|アメリカ合衆国|美国|미국
VN Việt Nam
ZA Suid-Afrika|Südafrika|Afrique du Sud|Sudáfrica|África do Sul
"""

_US_STATES = """
AL Alabama
AK Alaska
AZ Arizona
AR Arkansas
CA California
CO Colorado
CT Connecticut
DE Delaware
DC District of Columbia|Washington DC|Washington, D.C.
FL Florida
GA Georgia
HI Hawaii
ID Idaho
IL Illinois
IN Indiana
IA Iowa
KS Kansas
KY Kentucky
LA Louisiana
ME Maine
MD Maryland
MA Massachusetts
MI Michigan
MN Minnesota
MS Mississippi
MO Missouri
MT Montana
NE Nebraska
NV Nevada
NH New Hampshire
NJ New Jersey
NM New Mexico
NY New York
NC North Carolina
ND North Dakota
OH Ohio
OK Oklahoma
OR Oregon
PA Pennsylvania
RI Rhode Island
SC South Carolina
SD South Dakota
TN Tennessee
TX Texas
UT Utah
VT Vermont
VA Virginia
WA Washington
WV West Virginia
WI Wisconsin
WY Wyoming
AS American Samoa
GU Guam
MP Northern Mariana Islands
PR Puerto Rico
VI U.S. Virgin Islands|Virgin Islands
AA Armed Forces Americas
AE Armed Forces Europe
AP Armed Forces Pacific
"""

_CURRENCIES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU
UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XUA YER
ZAR ZMW ZWG
"""


_UNNOTICED = frozenset({"the", "of", "and"})
_WRITTEN_OUT = {
    "&": "and",
    "dem": "democratic",
    "fed": "federation",
    "is": "islands",
    "isl": "islands",
    "rep": "republic",
    "st": "saint",
    "ste": "saint",
}
_dropped = re.compile("['\u2019`\u00b4.]")
_word = re.compile(r"[a-z]+|&")


def letters(text: str) -> str:
    """Return the lowercase base letters of ``text``, for comparing names: ``"Côte d'Ivoire"`` → ``"cotedivoire"``."""
    decomposed = unicodedata.normalize("NFKD", text).lower()
    return re.sub(r"[^a-z]", "", decomposed)


def of_any_script(text: str) -> str:
    """Return the lowercase letters of ``text``, with their marks, for comparing names that are not in Latin letters."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalpha())


def words(text: str) -> str:
    """Return the words of a name in one order: ``"Korea, Republic of"`` and ``"Republic of Korea"`` are the same."""
    decomposed = "".join(
        char for char in unicodedata.normalize("NFKD", text).lower() if not unicodedata.combining(char)
    )
    found = {_WRITTEN_OUT.get(word, word) for word in _word.findall(_dropped.sub("", decomposed))}
    return " ".join(sorted(found - _UNNOTICED))


def _lines(table: str) -> list[str]:
    return table.strip().replace("\n  |", "|").splitlines()


def _names(table: str, codes: int, key: Callable[[str], str] = letters) -> dict[str, str]:
    """Read lines of ``CODE [CODE …] name|name`` into {code or name as a key: first code, lowercase}."""
    found: dict[str, str] = {}
    for line in _lines(table):
        *keys, names = line.split(" ", codes)
        for name in (*keys, *names.split("|")):
            if key(name):
                found[key(name)] = keys[0].lower()
    return found


COUNTRIES: dict[str, str] = _names(_COUNTRIES, 3)
"""Alpha-2, alpha-3 and English names, as :func:`letters`, → lowercase alpha-2."""

OWN_NAMES: dict[str, str] = {**_names(_OWN_NAMES, 1), **_names(_OWN_NAMES, 1, of_any_script)}
"""Names of countries in other languages, as :func:`letters` and as :func:`of_any_script`, → lowercase alpha-2."""

COUNTRY_WORDS: dict[str, str] = _names(_COUNTRIES, 3, words)
"""The same, as :func:`words`."""

COUNTRY_NUMBERS: dict[str, str] = {line.split(" ", 3)[2]: line[:2].lower() for line in _lines(_COUNTRIES)}
"""Three-digit codes → lowercase alpha-2."""

US_STATES: dict[str, str] = _names(_US_STATES, 1)
"""Two-letter codes and full names, as :func:`letters`, → lowercase two-letter code."""

US_POSTAL: frozenset[str] = frozenset({"us", "as", "fm", "gu", "mh", "mp", "pr", "pw", "vi"})
"""Countries that the postal service of the US serves, as lowercase alpha-2 codes."""

CURRENCIES: frozenset[str] = frozenset(_CURRENCIES.split())
"""ISO 4217 codes in force."""
