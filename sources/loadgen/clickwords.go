package loadgen

// The words of the site of news.

var (
	clickStates  = []string{"home", "content", "clickbait", "content", "subscribe", "plusContent", "affiliateLink", "content"}
	clickGenders = []string{"m", "w", "d", "m", "w", "m", "w"}
	clickAges    = []string{"18-25", "26-35", "36-50", "51-60", "61+"}
	clickAgents  = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:108.0) Gecko/20100101 Firefox/108.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Safari/605.1.15",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
		"Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.0.0 Mobile Safari/537.36",
	}
)

// campaigns are what brought a reader here, and by which channel.
var campaigns = []struct{ name, channel string }{
	{"fb-1 Be Informed", "social media"}, {"fb-2 US Election", "social media"}, {"google-1 Be Informed", "paid search"},
	{"newsletter-1 Morning", "email"}, {"none", "organic search"}, {"none", "direct"}, {"display-3 World", "display"},
}

// clickContents are what there is to read; the first is the front page.
var clickContents = []struct {
	name  string
	parts []string
}{
	{"Home", []string{"Front Page"}},
	{"News", []string{"Europe", "Asia", "Africa", "Americas"}},
	{"Sport", []string{"Football", "Cycling", "Chess"}},
	{"Business", []string{"Markets", "Energy", "Work"}},
	{"Science", []string{"Space", "Oceans", "Medicine"}},
	{"Culture", []string{"Film", "Books", "Music"}},
}

// clickTowns are where readers are.
var clickTowns = []struct{ name, country, latitude, longitude, zone string }{
	{"Lesozavodsk", "RU", "45.47885", "133.42825", "Asia/Vladivostok"},
	{"Perm", "RU", "58.01046", "56.25017", "Asia/Yekaterinburg"},
	{"Yaoundé", "CM", "3.86667", "11.51667", "Africa/Douala"},
	{"Douala", "CM", "4.04827", "9.70428", "Africa/Douala"},
	{"Boise", "US", "43.6135", "-116.20345", "America/Boise"},
	{"Chicago", "US", "41.85003", "-87.65005", "America/Chicago"},
	{"New York", "US", "40.71427", "-74.00597", "America/New_York"},
	{"San Diego", "US", "32.71571", "-117.16472", "America/Los_Angeles"},
	{"Berlin", "DE", "52.52437", "13.41053", "Europe/Berlin"},
	{"Hamburg", "DE", "53.57532", "10.01534", "Europe/Berlin"},
	{"München", "DE", "48.13743", "11.57549", "Europe/Berlin"},
	{"Paris", "FR", "48.85341", "2.3488", "Europe/Paris"},
	{"London", "GB", "51.50853", "-0.12574", "Europe/London"},
	{"Madrid", "ES", "40.4165", "-3.70256", "Europe/Madrid"},
	{"Mumbai", "IN", "19.07283", "72.88261", "Asia/Kolkata"},
	{"Tokyo", "JP", "35.6895", "139.69171", "Asia/Tokyo"},
	{"São Paulo", "BR", "-23.5475", "-46.63611", "America/Sao_Paulo"},
	{"Lagos", "NG", "6.45407", "3.39467", "Africa/Lagos"},
	{"Sydney", "AU", "-33.86785", "151.20732", "Australia/Sydney"},
	{"Toronto", "CA", "43.70011", "-79.4163", "America/Toronto"},
}
