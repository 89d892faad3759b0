import { closest } from './suggestion.ts';

/** Names of the IANA database (2026f), by area, that some releases of Node take and do not list. */
const ALIASES: Readonly<Record<string, string>> = {
  '': `
    CET CST6CDT Cuba EET EST EST5EDT Egypt Eire GB GB-Eire GMT GMT0 GMT+0 GMT-0 Greenwich HST
    Hongkong Iceland Iran Israel Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo
    PRC PST8PDT Poland Portugal ROC ROK Singapore Turkey UCT UTC Universal W-SU WET Zulu
  `,
  Africa: 'Asmara Timbuktu',
  America: `
    Argentina/Buenos_Aires Argentina/Catamarca Argentina/ComodRivadavia Argentina/Cordoba
    Argentina/Jujuy Argentina/Mendoza Atikokan Atka Ensenada Fort_Wayne Indiana/Indianapolis
    Kentucky/Louisville Knox_IN Montreal Nipigon Nuuk Pangnirtung Porto_Acre Rainy_River Rosario
    Santa_Isabel Shiprock Thunder_Bay Virgin Yellowknife
  `,
  Antarctica: 'South_Pole',
  Asia: `
    Ashkhabad Choibalsan Chongqing Chungking Dacca Harbin Ho_Chi_Minh Istanbul Kashgar Kathmandu
    Kolkata Macao Tel_Aviv Thimbu Ujung_Pandang Ulan_Bator Yangon
  `,
  Atlantic: 'Faroe Jan_Mayen',
  Australia: 'ACT Canberra Currie LHI NSW North Queensland South Tasmania Victoria West Yancowinna',
  Brazil: 'Acre DeNoronha East West',
  Canada: 'Atlantic Central Eastern Mountain Newfoundland Pacific Saskatchewan Yukon',
  Chile: 'Continental EasterIsland',
  Etc: `
    GMT GMT0 GMT+0 GMT+1 GMT+2 GMT+3 GMT+4 GMT+5 GMT+6 GMT+7 GMT+8 GMT+9 GMT+10 GMT+11 GMT+12
    GMT-0 GMT-1 GMT-2 GMT-3 GMT-4 GMT-5 GMT-6 GMT-7 GMT-8 GMT-9 GMT-10 GMT-11 GMT-12 GMT-13 GMT-14
    Greenwich UCT UTC Universal Zulu
  `,
  Europe: 'Belfast Kyiv Nicosia Tiraspol Uzhgorod Zaporozhye',
  Mexico: 'BajaNorte BajaSur General',
  Pacific: 'Chuuk Johnston Kanton Pohnpei Samoa Yap',
  US: `
    Alaska Aleutian Arizona Central East-Indiana Eastern Hawaii Indiana-Starke Michigan Mountain
    Pacific Samoa
  `,
};

let names: ReadonlySet<string> | undefined;

function timezones(): ReadonlySet<string> {
  names ??= new Set([
    ...Intl.supportedValuesOf('timeZone'),
    ...Object.entries(ALIASES).flatMap(([area, places]) =>
      places
        .trim()
        .split(/\s+/)
        .map((place) => (area === '' ? place : `${area}/${place}`)),
    ),
  ]);
  return names;
}

/** Whether a Temporal server takes a timezone: it knows each name in one spelling only. */
export function isTimezone(name: string): boolean {
  return timezones().has(name) || (inAnyCase(name) === undefined && isNewer(name));
}

/** The name that a misspelt one most likely means. */
export function nearestTimezone(name: string): string | undefined {
  return inAnyCase(name) ?? closest(name, timezones());
}

let spellings: ReadonlyMap<string, string> | undefined;

function inAnyCase(name: string): string | undefined {
  spellings ??= new Map([...timezones()].map((known) => [known.toLowerCase(), known]));
  return spellings.get(name.toLowerCase());
}

const AREA = /^(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)\//;

/** A place that the list does not have yet, and this Node does; Node alone also takes PST and SystemV/PST8. */
function isNewer(name: string): boolean {
  try {
    return AREA.test(name) && Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
