// What every page has: menus, forms, times, theme, search, tray, bell, and the word about the connection.
import "./menus.js";
import "./forms.js";
import "./theme-switch.js";
import "./times.js";
import "./more.js";
import { startBell } from "./bell.js";
import { watchConnection } from "./connection.js";
import { startFinder } from "./finder.js";
import { startTray } from "./tray.js";

startFinder();
startTray();
startBell();
watchConnection();
