package counters;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;

/** To a campaign of `examples/cluster/counters.py`: count this event. */
public final class Counted {
  public final String id;
  public final String type;

  @JsonCreator
  public Counted(@JsonProperty("id") String id, @JsonProperty("type") String type) {
    this.id = id;
    this.type = type;
  }
}
