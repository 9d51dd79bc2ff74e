"""The words for bytes, as docs/FORMAT.md says where they are."""

WORDS = """
acid actor adult agent album amber anchor apple april arrow atlas autumn bacon badge banjo barrel basket belt bench
bishop blanket bottle brick bubble bucket butter cabin cactus camel candle carpet castle cellar chalk cherry circle
citrus clock cobra coffee comet copper cotton cradle cricket crystal cup dagger daisy dancer decimal dentist desert
diamond dinner doctor dolphin dragon drum dune dynamo eagle echo eclipse elbow elder emerald empire engine evening
fabric falcon feather fever fiddle fisher flag flute fog forest fossil fridge frost funnel galaxy garden ghost giant
ginger glove goblin gopher grape guitar gypsum habit hammer harbour hazel hedge helmet hermit hobby honey hotel
hunter husky iceberg igloo index ink insect iron island ivory jacket jaguar jasmine jewel jigsaw jockey jolly jungle
jury kayak kennel kettle kidney kitchen kiwi koala ladder lagoon lantern laptop lava lemon letter liquid lobster
lumber lunch magnet maple market meadow medal melon mercury mirror mitten monkey mosaic muffin music mustard napkin
nectar needle nephew nickel noodle north nutmeg oasis ocean octopus olive opera orange orchid otter oxygen oyster
paddle palace panther parrot pebble pencil pepper piano pickle pigeon pilot planet potato pumpkin pyramid quartz
queen quilt quiver rabbit radio raven razor reptile ribbon river robot rocket rubber ruler sailor salmon satin scarf
season shadow silver sketch slipper spider square statue summer syrup tablet talent teapot temple tennis thunder
tiger timber tobacco tomato trumpet tulip turtle uncle union urban valley vanilla vapour velvet violin volcano waffle
walnut water weasel whisper window winter wizard wolf yacht yellow yogurt zebra zigzag zinc zipper
""".split()
