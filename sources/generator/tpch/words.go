package tpch

import "strings"

// nation is a country and the number of its region.
type nation struct {
	name   string
	region int32
}

var regions = []string{"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"}

var nations = []nation{
	{"ALGERIA", 0}, {"ARGENTINA", 1}, {"BRAZIL", 1}, {"CANADA", 1}, {"EGYPT", 4}, {"ETHIOPIA", 0}, {"FRANCE", 3},
	{"GERMANY", 3}, {"INDIA", 2}, {"INDONESIA", 2}, {"IRAN", 4}, {"IRAQ", 4}, {"JAPAN", 2}, {"JORDAN", 4}, {"KENYA", 0},
	{"MOROCCO", 0}, {"MOZAMBIQUE", 0}, {"PERU", 1}, {"CHINA", 2}, {"ROMANIA", 3}, {"SAUDI ARABIA", 4}, {"VIETNAM", 2},
	{"RUSSIA", 3}, {"UNITED KINGDOM", 3}, {"UNITED STATES", 1},
}

var (
	segments     = []string{"AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"}
	priorities   = []string{"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"}
	instructions = []string{"DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"}
	modes        = []string{"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"}

	finishes = []string{"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"}
	coatings = []string{"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"}
	metals   = []string{"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"}
	sizes    = []string{"SM", "LG", "MED", "JUMBO", "WRAP"}
	vessels  = []string{"CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"}
)

// bestsellers are the brands and containers that Q17 and Q19 look for.
var bestsellers = []struct{ brand, container string }{
	{"Brand#12", "SM BOX"}, {"Brand#23", "MED BOX"}, {"Brand#34", "LG BOX"},
}

// colors are the words of which the name of a part is made.
var colors = strings.Fields(`almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood
	burnished chartreuse chiffon chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick
	floral forest frosted gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace lavender lawn lemon
	light lime linen magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale
	papaya peach peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell sienna sky slate
	smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow`)

// words are those of comments.
var words = strings.Fields(`packages requests accounts deposits foxes ideas theodolites pinto beans instructions
	dependencies excuses platelets asymptotes courts dolphins multipliers sauternes warthogs frets dinos attainments
	sleep wake are cajole haggle nag use boost affix detect integrate maintain nod was lose sublate solve thrash promise
	special pending unusual express furious sly careful blithe quick fluffy slow quiet ruthless thin close dogged daring
	bold final ironic even regular silent sometimes always never about above according across after against along among`)
