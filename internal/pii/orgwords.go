package pii

import "strings"

// orgWords name kinds of organisations, and legal forms.
var orgWords = strings.Fields(`inc incorporated ltd limited llc llp plc corp corporation company co gmbh ag kg ohg ug ev se sa sas sarl
srl spa bv nv ab oy as aps kft sro pty holding holdings group partners associates ventures industries enterprises systems technologies
technology solutions software labs laboratories consulting services capital bank sparkasse volksbank insurance versicherung university
universitat universite universidad universita college school institute institut academy akademie hospital klinik klinikum clinic
ministry ministerium department council committee commission agency authority bureau office association verband verein foundation
stiftung society club union party partei church orchestra museum library airlines airways railways railway motors records studios
entertainment media press times post news magazine journal radio television network broadcasting fc sc sv vfl tsv fk united athletic
league federation army navy police court parliament senate congress band trust fund exchange stadtwerke werke konzern gruppe
pharmaceuticals pharma logistics energy oil gas electric electronics foods brewery hotel theatre theater`)
