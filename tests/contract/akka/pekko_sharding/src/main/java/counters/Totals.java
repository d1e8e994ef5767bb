package counters;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;

/** What a campaign answers. */
public final class Totals {
  public final int views;
  public final int clicks;

  @JsonCreator
  public Totals(@JsonProperty("views") int views, @JsonProperty("clicks") int clicks) {
    this.views = views;
    this.clicks = clicks;
  }
}
